import { MillraceError } from '../../src/errors.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { PolicySpec } from '../../src/policy/kind.ts';
import { emptyLedger } from '../../src/jobs/ledger.ts';
import { dropCheckpoints, keepCheckpoint } from '../jobs/checkpoints.ts';
import { JobEvents } from '../jobs/events.ts';
import type { Master } from './master.ts';

/** What {@link saveVersion} writes. */
export interface VersionToSave {
  spec: PolicySpec;
  master: Master;
  manifest: WeightManifest;
  /** What exploration knew, where the job keeps it. */
  exploration: Uint8Array | undefined;
  /** What a KL penalty holds on to, where the version and the first weights do not say it. */
  reference: Float32Array | undefined;
}

/**
 * Writes weights, optimiser state, what exploration knew, the ledger and what is needed to run or go on from them: before the commit, so
 * that a committed version has its checkpoint. Where that fails (a full disk) training goes on, since what it needs itself is
 * on the bus: the failure is an event of the job, and is returned in words.
 */
export async function saveVersion(
  context: NodeContext,
  record: JobRecord,
  { spec, master, manifest, exploration, reference }: VersionToSave,
): Promise<string | undefined> {
  const { m, v, step } = master.optimizer;
  const { id: job, config, code } = record;
  const { version, trainSeconds, ledger = emptyLedger() } = manifest;
  const checkpoint = {
    ...{ spec, parameters: { tensors: master.parameters.tensors, values: master.average ?? master.parameters.values } },
    ...(master.average && { trained: master.parameters.values }),
    optimizer: { m, v, step },
    ...(exploration && { exploration }),
    ...(reference && { reference }),
    training: { version, seed: config.seed, trainSeconds, ledger },
    meta: { job, version, trainSeconds, config, ...(code !== undefined && { code }) },
  };
  try {
    await keepCheckpoint(context, { job, version }, checkpoint);
    await dropCheckpoints(context, job).catch((error: unknown) => {
      context.log.warn({ err: error, job }, 'old checkpoints could not be deleted; tried again with the next checkpoint');
    });
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
