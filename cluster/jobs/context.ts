import type { Logger } from 'pino';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import type { Random } from '../../src/random/random.ts';
import type { JobDirectory } from './directory.ts';
import type { JobNotices } from './notices.ts';
import type { JobRuntimes } from './runtime.ts';

/** What work for jobs needs of a node: the ports, and the jobs it can look up. */
export interface JobContext {
  /** Node id, unique in the cluster, e.g. `rollout-1`. */
  readonly id: string;
  readonly bus: Bus;
  readonly clock: Clock;
  /** Draws ids and jitter; what follows from the seed of a job has its own. */
  readonly random: Random;
  readonly log: Logger;
  readonly jobs: JobDirectory;
  readonly runtimes: JobRuntimes;
  /** Where to report what people must learn about a job. */
  readonly notices: JobNotices;
}
