import type { ActorContext } from '../../src/actor/behaviour.ts';
import { trainerDurable } from '../../src/protocol/durables.ts';
import { decodeScoredGroup, type AnsweredRequest } from '../jobs/scored-group.ts';
import { KEPT } from '../runtime/outcome.ts';
import { Worker } from '../runtime/worker.ts';
import type { TrainerJob } from './trainer-job.ts';
import type { TrainerMessage } from './trainer-message.ts';

/**
 * Takes the scored groups of a job into its trainer's mailbox, until that stops. The trainer keeps each delivery until a commit has counted the group, so
 * a trainer that dies is given all that it had not committed again.
 */
export function trainerIntake(
  { context, record }: TrainerJob,
  { self, signal }: ActorContext<TrainerMessage>,
): Worker<AnsweredRequest> {
  const { id, config } = record;
  return new Worker<AnsweredRequest>(context, {
    durable: { ...trainerDurable(id, config), onReset: () => void self.tell({ kind: 'reset' }) },
    expects: 'ScoredGroup',
    decode: ({ data }) => decodeScoredGroup(data),
    handle: async (scored, delivery) => {
      await self.send({ kind: 'group', scored, delivery });
      return KEPT;
    },
    until: signal,
  });
}
