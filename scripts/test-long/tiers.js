import { chaos } from './chaos.js';
import { containers } from './containers.js';
import { hosts } from './hosts.js';
import { lint } from './lint.js';
import { models } from './models.js';
import { nodes } from './nodes.js';
import { page } from './page.js';
import { pulumi } from './pulumi.js';
import { python } from './python.js';
import { simulate } from './simulate.js';

/** Tiers of npm run test:long, in the order of `all`. */
export const TIERS = {
  hosts,
  containers,
  pulumi,
  lint,
  models,
  page,
  python,
  nodes,
  chaos,
  simulate,
};
