import { join } from 'node:path';
import { saveCheckpoint } from '../../src/checkpoint/save.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { PolicySpec } from '../../src/policy/spec.ts';
import type { NodeContext } from '../context.ts';
import type { Master } from './master.ts';

/** Folder of a job's checkpoint of one version. */
export function checkpointPath(stateDir: string, job: string, version: number): string {
  return join(stateDir, 'checkpoints', job, `v${String(version).padStart(6, '0')}`);
}

/** Writes weights, optimiser state and what is needed to run or go on from them. Written before the commit, so that a committed version always has its checkpoint. */
export async function saveVersion(
  context: NodeContext,
  record: JobRecord,
  spec: PolicySpec,
  master: Master,
  manifest: WeightManifest,
): Promise<void> {
  const { m, v, step } = master.optimizer;
  const saving = saveCheckpoint(checkpointPath(context.stateDir, record.id, manifest.version), {
    spec,
    parameters: master.parameters,
    optimizer: { m, v, step },
    meta: { job: record.id, version: manifest.version, trainSeconds: manifest.trainSeconds, config: record.config },
  });
  await context.outside(saving);
}
