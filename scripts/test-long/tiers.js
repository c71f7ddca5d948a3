import { chaos } from './chaos.js';
import { nodes } from './nodes.js';
import { page } from './page.js';
import { python } from './python.js';
import { simulate } from './simulate.js';

const nothingYet = (what) => () => Promise.resolve({ skipped: `nothing to run yet: ${what}` });

/** Tiers of npm run test:long, in the order of `all`. */
export const TIERS = {
  hosts: nothingYet('a cluster runs on one machine'),
  containers: nothingYet('there are no images'),
  models: nothingYet('there is no language-model policy'),
  page,
  python,
  nodes,
  chaos,
  simulate,
};
