import type { ActorContext } from '../../src/actor/behaviour.ts';
import { parseEvaluationKey } from '../../src/jobs/evaluation/names.ts';
import { evaluationDurable } from '../../src/protocol/durables.ts';
import { decodeScoredGroup, type AnsweredRequest } from '../jobs/scored-group.ts';
import { KEPT } from '../runtime/outcome.ts';
import { Worker, type WorkerContext } from '../runtime/worker.ts';
import type { JobMessage } from './job-message.ts';

/** Takes the scored evaluation groups of a job into the mailbox of its actor, until that stops; it settles each once it has counted it. */
export function evaluationIntake(
  context: WorkerContext,
  job: string,
  { self, signal }: ActorContext<JobMessage>,
): Worker<AnsweredRequest> {
  return new Worker<AnsweredRequest>(context, {
    durable: evaluationDurable(job),
    expects: 'scored evaluation',
    decode: ({ data }) => {
      const scored = decodeScoredGroup(data);
      parseEvaluationKey(scored.request.evaluation);
      return scored;
    },
    handle: async (scored, delivery) => {
      await self.send({ kind: 'evaluation', scored, delivery });
      return KEPT;
    },
    until: signal,
  });
}
