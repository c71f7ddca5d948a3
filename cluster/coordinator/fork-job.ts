import { isDeepStrictEqual } from 'node:util';
import type { JobConfig } from '../../src/config/job.ts';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { initialPath } from '../../src/checkpoint/paths.ts';
import { storeCheckpoint } from '../../src/checkpoint/save.ts';
import { MillraceError } from '../../src/errors.ts';
import { usedCount } from '../../src/jobs/ledger.ts';
import type { JobRecord, NewJob } from '../../src/jobs/record.ts';
import { refillDraws } from '../../src/jobs/round.ts';
import type { SpecDifference } from '../../src/policy/kind.ts';
import { findCheckpoint } from '../jobs/checkpoints.ts';
import { loadJobRuntime, type JobRuntime } from '../jobs/runtime.ts';
import type { JobVersion } from '../jobs/weight-source.ts';
import type { NodeContext } from '../runtime/context.ts';

/** What the record of a new job has that goes on with another one's training. */
export type ForkedJob = Required<Pick<NewJob, 'from' | 'forked' | 'checkpoint' | 'checkpoints' | 'evaluations'>> &
  Pick<NewJob, 'code' | 'initialCheckpoint'>;

/**
 * Makes a new job out of a checkpoint of another: the same version, weights, optimiser, exploration, curriculum and ledger, and the same code and
 * data. Requests that were under way are sent again under the new job's id.
 *
 * @param id - of the new job
 * @param config - of the new job; what decides tasks, policy or accounting must be that of the other
 * @throws MillraceError see `CreateJobRequest.fork` in admin.proto
 */
export async function forkJob(
  context: NodeContext,
  id: string,
  { config, fork }: { config: JobConfig; fork: JobVersion },
): Promise<ForkedJob> {
  const parent = (await context.jobs.fetch(fork.job))?.record;
  if (parent === undefined) {
    throw new MillraceError('not_found', `There is no job "${fork.job}" to go on with. \`millrace job list\` shows the jobs.`, {
      field: 'fork',
    });
  }
  checkConfig(config, parent);
  const { code } = parent;
  const bundle = code === undefined || !context.bundles ? undefined : await context.outside(context.bundles.open(code));
  const runtime = await loadJobRuntime(config, context, { bundle });
  const { entry, checkpoint } = await findCheckpoint(context, parent, { version: fork.version, kinds: runtime.kinds });
  const { training, spec } = checkpoint;
  const { version } = entry;
  const name = `${parent.id}@${version}`;
  if (training === undefined) {
    throw new MillraceError(
      'failed_precondition',
      `The checkpoint ${name} is of an older build and holds no ledger: start from its weights with \`millrace job create --from ${name}\`.`,
      { field: 'fork' },
    );
  }
  checkSpec(runtime, spec, name);
  if (version >= config.rounds) {
    throw new MillraceError(
      'invalid_argument',
      `got ${config.rounds}, and ${name} has run ${version} rounds: give more than that, e.g. --set rounds=${2 * version}`,
      { field: 'rounds' },
    );
  }
  return {
    from: name,
    forked: { job: parent.id, version, digest: entry.digest, used: usedCount(training.ledger) },
    checkpoint: `${id}@${version}`,
    checkpoints: [entry],
    evaluations: parent.evaluations.filter(({ policyVersion }) => policyVersion <= version),
    code,
    initialCheckpoint: await initialCheckpoint(context, parent, runtime),
  };
}

/** Keys that a fork shares with the job that it goes on with: tasks and their order, and how requests are counted. */
const SHARED = ['flow', 'data', 'files', 'source', 'seed', 'split', 'curriculum', 'exploration'] as const;

function checkConfig(config: JobConfig, { id, config: other }: JobRecord): void {
  const differs = (field: string, got: unknown, expected: unknown): void => {
    if (isDeepStrictEqual(got, expected)) return;
    const shown = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value));
    throw new MillraceError(
      'invalid_argument',
      `got ${shown(got)}, and job "${id}", whose training goes on, has ${shown(expected)}; a new job can start from its weights instead (--from)`,
      { field },
    );
  };
  for (const key of SHARED) differs(key, config[key], other[key]);
  differs('rollout.groupsPerRound', config.rollout.groupsPerRound, other.rollout.groupsPerRound);
  if ((refillDraws(config.algorithm) === undefined) !== (refillDraws(other.algorithm) === undefined))
    differs('algorithm.name', config.algorithm.name, other.algorithm.name);
}

function checkSpec({ kind, spec: wanted }: JobRuntime, spec: JobRuntime['spec'], name: string): void {
  const difference =
    spec.kind === wanted.kind
      ? (kind.difference(spec, wanted) as SpecDifference | undefined)
      : { field: 'kind', first: spec.kind, second: wanted.kind };
  if (difference === undefined) return;
  const { field, first, second } = difference;
  throw new MillraceError(
    'failed_precondition',
    `The policy of ${name} does not fit this job: ${field} is ${first} there and ${second} here.`,
    { field: `fork: ${field}` },
  );
}

/** The first weights of the other job, where they were not drawn: a KL penalty may hold on to them. */
async function initialCheckpoint(
  { artifacts, files, stateDir }: NodeContext,
  { id, initialCheckpoint: digest, initialWeights }: JobRecord,
  { kinds }: JobRuntime,
): Promise<string | undefined> {
  if (digest !== undefined || initialWeights === undefined) return digest;
  const older = await loadCheckpoint(initialPath(stateDir, id, initialWeights), { files, kinds });
  return (await storeCheckpoint(artifacts, older)).digest;
}
