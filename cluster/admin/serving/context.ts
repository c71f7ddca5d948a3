import type { Bus } from '../../../src/bus/bus.ts';
import type { Clock } from '../../../src/clock/clock.ts';
import type { ServedTask, ServeTask } from '../../../src/gen/millrace/v1/serving_pb.ts';
import type { Random } from '../../../src/random/random.ts';
import type { AgentDirectory } from '../../jobs/agents.ts';
import type { JobDirectory } from '../../jobs/directory.ts';
import type { ExperimentDirectory } from '../../jobs/experiments.ts';
import type { ServedTasks } from '../../jobs/served-tasks.ts';
import type { ExperimentKeeper } from './keeper.ts';

/**
 * Has a live task solved by a process that may run the code of flows.
 * @throws MillraceError `unavailable` when none answers in time
 */
export type AskWorker = (task: Omit<ServeTask, '$typeName' | '$unknown' | 'call' | 'replyTo'>) => Promise<ServedTask>;

/** What publishing, serving and experiments work with. */
export interface ServingContext {
  bus: Bus;
  clock: Pick<Clock, 'now'>;
  random: Random;
  jobs: Pick<JobDirectory, 'fetch' | 'update'>;
  agents: AgentDirectory;
  experiments: ExperimentDirectory;
  served: ServedTasks;
  keeper: ExperimentKeeper;
  /** See `AdminBackend.bundledFlow`. */
  bundledFlow: (digest: string) => Promise<{ flow: string }>;
  ask: AskWorker;
}
