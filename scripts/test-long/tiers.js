import { chaos } from './chaos.js';
import { hosts } from './hosts.js';
import { models } from './models.js';
import { nodes } from './nodes.js';
import { page } from './page.js';
import { python } from './python.js';
import { simulate } from './simulate.js';

const nothingYet = (what) => () => Promise.resolve({ skipped: `nothing to run yet: ${what}` });

/** Tiers of npm run test:long, in the order of `all`. */
export const TIERS = {
  hosts,
  containers: nothingYet('there are no images'),
  models,
  page,
  python,
  nodes,
  chaos,
  simulate,
};
