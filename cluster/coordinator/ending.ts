import { HELD, PARTS, ROLLOUTS, SCORED } from '../../src/protocol/names.ts';
import { heldSubject, partsSubject, rolloutSubject } from '../../src/protocol/subjects.ts';
import { evaluationDurable, trainerDurable } from '../../src/protocol/durables.ts';
import type { JobEnd } from '../../src/jobs/job-machine.ts';
import { settle, transition, type JobRecord } from '../../src/jobs/record.ts';
import { canTransition, isEnded } from '../../src/jobs/state.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { JobEntry } from '../jobs/directory.ts';
import { JobEvents } from '../jobs/events.ts';
import type { CoordinatedJob } from './coordinated-job.ts';

/**
 * What a coordinator does after a job has ended: notes it, drops the requests that nobody has taken, and the durables that its actor
 * made. That of the trainer is the parameter server's, which deletes it when it settles the ledger; where it was faster than the actor that made
 * it, it is deleted here. May be done again: the record says that it is to be done until it is done.
 */
export async function settleQueues(context: NodeContext, record: JobRecord): Promise<void> {
  const { bus, clock, jobs, id } = context;
  const state = record.state.toLowerCase();
  await new JobEvents(bus, clock, id, record.id).publish(state, 1, record.error ?? `job ${state}`);
  await bus.purge(ROLLOUTS, rolloutSubject(record.id));
  await bus.purge(HELD, heldSubject(record.id));
  await bus.purge(PARTS, partsSubject(record.id));
  await bus.deleteDurable(SCORED, evaluationDurable(record.id).durable);
  const dropTrainers = async (entry: JobEntry | undefined): Promise<void> => {
    if (entry === undefined || entry.record.unsettled.includes('books')) return;
    await bus.deleteDurable(SCORED, trainerDurable(record.id, record.config).durable);
  };
  await dropTrainers(await jobs.fetch(record.id));
  // The ledger may have been settled between the two.
  await dropTrainers(await jobs.update(record.id, (newest) => settle(newest, 'queues')));
}

/** Writes into the record that its job ends. One that was paused meanwhile ends when it is resumed. */
export async function recordEnd(job: CoordinatedJob, { state, error }: JobEnd): Promise<void> {
  await job.update((newest) =>
    isEnded(newest.state) || !canTransition(newest.state, state)
      ? undefined
      : transition(newest, state, { now: job.context.clock.now(), ...(error && { error }) }),
  );
}
