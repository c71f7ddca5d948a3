import { checkpointPath } from '../../src/checkpoint/paths.ts';
import { saveCheckpoint } from '../../src/checkpoint/save.ts';
import { MillraceError } from '../../src/errors.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { PolicySpec } from '../../src/policy/kind.ts';
import { JobEvents } from '../jobs/events.ts';
import type { Master } from './master.ts';

/** What {@link saveVersion} writes. */
export interface VersionToSave {
  spec: PolicySpec;
  master: Master;
  manifest: WeightManifest;
  /** What exploration knew, where the job keeps it. */
  exploration: Uint8Array | undefined;
}

/**
 * Writes weights, optimiser state, what exploration knew and what is needed to run or go on from them: before the commit, so
 * that a committed version has its checkpoint. Where that fails (a full disk) training goes on, since what it needs itself is
 * on the bus: the failure is an event of the job, and is returned in words.
 */
export async function saveVersion(
  context: NodeContext,
  record: JobRecord,
  { spec, master, manifest, exploration }: VersionToSave,
): Promise<string | undefined> {
  const { m, v, step } = master.optimizer;
  const { id: job, config, code } = record;
  const { version, trainSeconds } = manifest;
  const checkpoint = {
    ...{ spec, parameters: master.parameters, optimizer: { m, v, step } },
    ...(exploration && { exploration }),
    meta: { job, version, trainSeconds, config, ...(code !== undefined && { code }) },
  };
  const { artifacts, files, stateDir } = context;
  try {
    await saveCheckpoint(checkpointPath(stateDir, job, version), checkpoint, { artifacts, files });
    return undefined;
  } catch (thrown) {
    const { message } = MillraceError.from(thrown);
    const { bus, clock, id, log, metrics } = context;
    metrics.count('checkpoints_failed_total', { job: record.id });
    log.error({ err: thrown, job: record.id, version: manifest.version }, 'training goes on without this checkpoint');
    await new JobEvents(bus, clock, id, record.id).publish('checkpoint-failed', manifest.version, message, {
      version: manifest.version,
    });
    return `${message}; training goes on without it`;
  }
}
