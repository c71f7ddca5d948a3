import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { checkpointExists, loadCheckpoint } from '../../src/checkpoint/load.ts';
import { storeCheckpoint } from '../../src/checkpoint/save.ts';
import { MillraceError } from '../../src/errors.ts';
import { namesIn } from '../../src/files/files.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { floatsFromBytes } from '../../src/policy/float-bytes.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { PolicySpec, SpecDifference } from '../../src/policy/kind.ts';
import type { PolicyKinds } from '../../src/policy/registry.ts';
import { findCheckpoint } from '../jobs/checkpoints.ts';
import { loadJobRuntime, type JobRuntime } from '../jobs/runtime.ts';
import type { WeightSource } from '../jobs/weight-source.ts';
import type { EvaluationMoment } from './evaluations.ts';
import { checkpointPath } from '../../src/checkpoint/paths.ts';

/** Weights to start from, and the specification that they are for. */
interface Weights {
  /** `<job>@<version>`, or the folder. */
  name: string;
  spec: PolicySpec;
  values: Float32Array;
  /** How far training was at that version. */
  moment: EvaluationMoment;
}

/**
 * Puts first weights by for a job that is about to be created, as a checkpoint of its own, so that nothing that happens to their source matters any
 * more. Only weights are taken: optimiser, ledger and exploration begin anew.
 *
 * @returns what the job's record keeps of it, and how far the training was that they are from
 */
export async function storeInitialWeights(
  context: NodeContext,
  job: string,
  { kind, kinds, spec: wanted }: Pick<JobRuntime, 'kind' | 'kinds' | 'spec'>,
  source: WeightSource,
): Promise<Required<Pick<JobRecord, 'from' | 'initialCheckpoint'>> & { moment: EvaluationMoment }> {
  const { name, spec, values, moment } = await ('checkpoint' in source
    ? fromCheckpoint(context, kinds, source.checkpoint)
    : fromJob(context, kinds, source));
  const difference = kindDifference(spec, wanted) ?? (kind.difference(spec, wanted) as SpecDifference | undefined);
  if (difference !== undefined) {
    const { field, first, second } = difference;
    throw new MillraceError(
      'failed_precondition',
      `The weights of ${name} do not fit this job: ${field} is ${first} there and ${second} here.`,
      { field: `from: ${field}` },
    );
  }
  const parameters = { tensors: kind.layout(wanted), values };
  const meta = { job, version: 0, from: name };
  const { digest } = await storeCheckpoint(context.artifacts, { spec: wanted, parameters, meta });
  return { from: name, initialCheckpoint: digest, moment };
}

function kindDifference(first: PolicySpec, second: PolicySpec): SpecDifference | undefined {
  return first.kind === second.kind ? undefined : { field: 'kind', first: first.kind, second: second.kind };
}

async function fromCheckpoint({ files }: NodeContext, kinds: PolicyKinds, path: string, name = path): Promise<Weights> {
  return weightsOf(name, await loadCheckpoint(path, { files, kinds }));
}

function weightsOf(name: string, { spec, parameters, training }: Checkpoint): Weights {
  const moment = { trajectories: Number(training?.ledger.trajectories ?? 0n), trainSeconds: training?.trainSeconds ?? 0 };
  return { name, spec, values: parameters.values, moment };
}

/** From JetStream while it keeps the version, which it does for the newest; else from the job's checkpoints. */
async function fromJob(
  context: NodeContext,
  kinds: PolicyKinds,
  { job, version }: Extract<WeightSource, { job: string }>,
): Promise<Weights> {
  const entry = await context.jobs.fetch(job);
  if (entry === undefined) {
    throw new MillraceError('not_found', `There is no job "${job}" to start from. \`millrace job list\` shows the jobs.`, {
      field: 'from',
    });
  }
  const { checkpoints } = entry.record;
  const latest = (await context.weights.latest(job).catch(ignoreLost))?.manifest;
  const wanted = version ?? latest?.version ?? checkpoints.at(-1)?.version;
  if (wanted === undefined) {
    throw new MillraceError('not_found', `Job "${job}" has no weights yet.`, { field: 'from' });
  }
  const name = `${job}@${wanted}`;
  let problem: unknown;
  if (checkpoints.some((each) => each.version === wanted)) {
    try {
      const { checkpoint } = await findCheckpoint(context, entry.record, { version: wanted, kinds });
      return weightsOf(name, checkpoint);
    } catch (thrown) {
      problem = thrown;
    }
  }
  // Of a job of an older build.
  const path = checkpointPath(context.stateDir, job, wanted);
  if (problem === undefined && (await checkpointExists(path, context.files))) return fromCheckpoint(context, kinds, path, name);
  const manifest = wanted === latest?.version ? latest : await context.weights.manifest(job, wanted);
  const bytes =
    manifest && (await context.weights.fetch(manifest, manifest.average ? 'average' : 'weights').catch(ignoreMissing));
  if (bytes === undefined) {
    if (problem !== undefined) throw problem as Error;
    // The newest can be nowhere but in a checkpoint.
    if (version === undefined && checkpoints.length > 0) {
      const found = await findCheckpoint(context, entry.record, { version, kinds });
      return weightsOf(`${job}@${found.entry.version}`, found.checkpoint);
    }
    const kept = [...(await keptVersions(context, entry.record)), ...(latest ? [latest.version] : [])];
    const versions = [...new Set(kept)].sort((a, b) => a - b).join(', ');
    throw new MillraceError(
      'not_found',
      `Version ${wanted} of job "${job}" is not kept${versions === '' ? '' : `; kept are ${versions}`}.`,
      { field: 'from' },
    );
  }
  const { config, code } = entry.record;
  // What its files hold now may be another flow than the one that these weights are of.
  const { bundles } = context;
  const kept = code !== undefined && (await context.outside(bundles?.has(code) ?? Promise.resolve(false)));
  const bundle = kept ? await context.outside(bundles!.open(code)) : undefined;
  const { spec } = await loadJobRuntime(config, context, { bundle });
  const moment = { trajectories: Number(manifest!.ledger?.trajectories ?? 0n), trainSeconds: manifest!.trainSeconds };
  return { name, spec, values: floatsFromBytes(bytes), moment };
}

function ignoreLost(thrown: unknown): undefined {
  if (MillraceError.from(thrown).retryable) throw thrown;
}

function ignoreMissing(thrown: unknown): undefined {
  if (MillraceError.from(thrown).code === 'not_found') return undefined;
  throw thrown;
}

async function keptVersions(context: NodeContext, { id, checkpoints }: JobRecord): Promise<number[]> {
  const folder = checkpointPath(context.stateDir, id, 0).replace(/[^/\\]*$/, '');
  const names = await namesIn(context.files, folder);
  const folders = names.filter((name) => /^v\d{6,}$/.test(name)).map((name) => Number(name.slice(1)));
  return [...checkpoints.map(({ version }) => version), ...folders];
}
