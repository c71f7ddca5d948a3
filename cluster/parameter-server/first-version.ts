import { loadCheckpoint, loadStoredCheckpoint } from '../../src/checkpoint/load.ts';
import { MillraceError } from '../../src/errors.ts';
import type { AdamWState } from '../../src/algo/optim/adamw.ts';
import type { Ledger } from '../../src/gen/millrace/v1/training_pb.ts';
import { emptyLedger, forkedLedger } from '../../src/jobs/ledger.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { Parameters } from '../../src/policy/policy.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { PolicyKinds } from '../../src/policy/registry.ts';
import { initialPath } from '../../src/checkpoint/paths.ts';

/** The weights of version 0: those that the job was created with, or what its seed draws. */
export async function firstParameters(
  { artifacts, files, stateDir }: Pick<NodeContext, 'artifacts' | 'files' | 'stateDir'>,
  { id, initialCheckpoint, initialWeights }: Pick<JobRecord, 'id' | 'initialCheckpoint' | 'initialWeights'>,
  { kinds, drawn }: { kinds: PolicyKinds; drawn: Parameters },
): Promise<Parameters> {
  if (initialCheckpoint === undefined && initialWeights === undefined) return drawn;
  const { parameters } = await (initialCheckpoint === undefined
    ? loadCheckpoint(initialPath(stateDir, id, initialWeights!), { files, kinds })
    : loadStoredCheckpoint(artifacts, initialCheckpoint, { kinds }));
  if (parameters.values.length === drawn.values.length) return { tensors: drawn.tensors, values: parameters.values };
  throw new MillraceError('failed_precondition', `the flow of job ${id} has changed: its first weights do not fit it`);
}

/** What training begins with. */
export interface FirstVersion {
  version: number;
  parameters: Parameters;
  /** Default: nothing was learned yet. */
  optimizer?: AdamWState;
  average?: Float32Array;
  exploration?: Uint8Array | undefined;
  ledger: Ledger;
  trainSeconds: number;
}

/** The first version that a job commits: 0, or that of the checkpoint whose training it goes on with. */
export async function firstVersion(
  context: Pick<NodeContext, 'artifacts' | 'files' | 'stateDir'>,
  record: JobRecord,
  { kinds, drawn }: { kinds: PolicyKinds; drawn: Parameters },
): Promise<FirstVersion> {
  const { forked } = record;
  if (forked === undefined) {
    const parameters = await firstParameters(context, record, { kinds, drawn });
    return { version: 0, parameters, ledger: emptyLedger(), trainSeconds: 0 };
  }
  const { parameters, trained, optimizer, exploration, training } = await loadStoredCheckpoint(context.artifacts, forked.digest, {
    kinds,
  });
  if (training === undefined) {
    throw new MillraceError('data_loss', `the checkpoint ${forked.job}@${forked.version} does not say how far training was`);
  }
  return {
    ...{ version: training.version, ledger: forkedLedger(training.ledger), trainSeconds: training.trainSeconds },
    ...{ parameters: { tensors: drawn.tensors, values: trained ?? parameters.values }, exploration },
    ...(optimizer && { optimizer }),
    ...(trained && { average: parameters.values }),
  };
}

/** Requests are sent only once there is a version: a job that has sent some and has none has lost it, and must not begin anew in silence. */
export function checkIsNew({ id, accepted, checkpoint }: JobRecord): void {
  if (accepted === 0) return;
  const left = checkpoint === undefined ? 'there is no checkpoint' : `its newest checkpoint is ${checkpoint}`;
  throw new MillraceError(
    'failed_precondition',
    `the training state of job ${id} is gone: it has sent ${accepted} requests, and JetStream holds no version of its weights (a damaged file, or one restored from before); ${left}`,
  );
}
