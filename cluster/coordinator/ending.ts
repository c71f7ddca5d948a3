import { settle, type JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../context.ts';
import { JobEvents } from '../jobs/events.ts';
import { evaluationDurable } from './evaluations.ts';

/**
 * What a coordinator does after a job has ended: notes it, drops the requests that nobody has taken, and the durable of its
 * evaluations. May be done again: the record says that it is to be done until it is done.
 */
export async function settleQueues(context: NodeContext, record: JobRecord): Promise<void> {
  const { bus, clock, jobs, id } = context;
  const state = record.state.toLowerCase();
  await new JobEvents(bus, clock, id, record.id).note(state, 1, record.error ?? `job ${state}`);
  await bus.purge('ROLLOUTS', `rollout.${record.id}`);
  await bus.deleteDurable('SCORED', evaluationDurable(record.id).durable);
  await jobs.update(record.id, (newest) => settle(newest, 'queues'));
}
