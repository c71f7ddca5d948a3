import { needsFirstVersion } from '../../src/jobs/evaluation/plans.ts';
import { droppedVersions } from '../../src/jobs/kept-checkpoints.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { dropCheckpoints } from '../jobs/checkpoints.ts';
import type { NodeContext } from '../runtime/context.ts';

/** Keeps the best checkpoints by held-out success and the newest one; deletes the others, and the weights of evaluated ones on the bus. */
export async function retainBest(context: NodeContext, record: JobRecord): Promise<void> {
  const before = droppedVersions(record);
  await dropCheckpoints(context, record.id);
  for (const version of before) {
    // The last evaluations run it.
    if (version > 0 || !needsFirstVersion(record)) await context.weights.drop(record.id, version);
  }
}
