import { best } from '../../src/checkpoint/retention.ts';
import { successRate } from '../../src/jobs/success-rate.ts';
import type { EvaluationRecord, JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';
import { checkpointPath } from '../../src/checkpoint/paths.ts';
import { removeCheckpoint } from './remove-checkpoint.ts';

/** Keeps the best checkpoints by held-out success, and the newest ones measured and written; deletes the others with their weights on the bus. */
export async function retainBest(context: NodeContext, record: JobRecord): Promise<void> {
  const measured = record.evaluations.filter((evaluation) => evaluation.name === 'trained');
  const newest = Math.max(...measured.map((evaluation) => evaluation.policyVersion));
  const kept = best(
    record.config.checkpoint.keep,
    measured.map((evaluation) => ({ version: evaluation.policyVersion, score: scoreOf(evaluation) })),
  );
  const keep = new Set([newest, ...kept.map(({ version }) => version)]);
  for (const { policyVersion } of measured) {
    if (keep.has(policyVersion)) continue;
    const folder = checkpointPath(context.stateDir, record.id, policyVersion);
    // The newest that could be written, where a later one could not.
    if (folder === record.checkpoint) continue;
    await removeCheckpoint(context, folder);
    await context.weights.drop(record.id, policyVersion);
  }
}

/** An incomplete evaluation is behind every complete one: its rate is of the tasks that happened to be judged. */
function scoreOf(evaluation: EvaluationRecord): number {
  const { success, incomplete } = successRate(evaluation);
  return incomplete ? success - 2 : success;
}
