import { best } from './best.ts';
import type { EvaluationRecord, JobRecord } from './record.ts';
import { successRate } from './success-rate.ts';

/** What decides which checkpoints of a job are kept. */
export type RetainedJob = Pick<JobRecord, 'config' | 'checkpoints' | 'evaluations'>;

/** How good a version was on the held-out tasks. */
export interface VersionScore {
  version: number;
  evaluation: EvaluationRecord;
}

/** Evaluations of the policy in training, by version. */
function measured({ evaluations }: Pick<JobRecord, 'evaluations'>): VersionScore[] {
  return evaluations
    .filter(({ name }) => name === 'trained')
    .map((evaluation) => ({ version: evaluation.policyVersion, evaluation }));
}

/**
 * The versions whose checkpoints stay: the newest, the `checkpoint.keep` best by held-out success (of those that were not measured the newer, behind
 * all that were), those whose evaluation may still come, and published ones.
 */
export function keptVersions(job: RetainedJob): Set<number> {
  const scores = new Map(measured(job).map(({ version, evaluation }) => [version, scoreOf(evaluation)]));
  const written = job.checkpoints.map(({ version }) => version);
  const versions = [...new Set([...written, ...scores.keys()])];
  const candidates = versions.map((version) => ({ version, score: scores.get(version) ?? -Infinity }));
  const newestMeasured = Math.max(-1, ...scores.keys());
  const { every } = job.config.evaluation;
  return new Set([
    ...(versions.length > 0 ? [Math.max(...versions)] : []),
    // The last evaluated version may have none: the disk was full.
    ...(written.length > 0 ? [Math.max(...written)] : []),
    ...job.checkpoints.filter(({ published }) => published === true).map(({ version }) => version),
    ...best(job.config.checkpoint.keep, candidates).map(({ version }) => version),
    ...versions.filter((version) => version > newestMeasured && every > 0 && version % every === 0),
  ]);
}

/** The versions that have a checkpoint or were measured, and whose checkpoints need not stay. */
export function droppedVersions(job: RetainedJob): number[] {
  const kept = keptVersions(job);
  const versions = new Set([...job.checkpoints.map(({ version }) => version), ...measured(job).map(({ version }) => version)]);
  return [...versions].filter((version) => !kept.has(version)).sort((a, b) => a - b);
}

/** The checkpoint with the best held-out success; undefined while none was measured. Of equal ones the newer. */
export function bestCheckpoint(job: RetainedJob): VersionScore | undefined {
  const written = new Set(job.checkpoints.map(({ version }) => version));
  return bestOf(measured(job).filter(({ version }) => written.has(version)));
}

/** The version with the best held-out success, whether or not it has a checkpoint. Of equal ones the newer. */
export function bestMeasured(job: Pick<RetainedJob, 'evaluations'>): VersionScore | undefined {
  return bestOf(measured(job));
}

function bestOf(candidates: readonly VersionScore[]): VersionScore | undefined {
  const scored = candidates.map(({ version, evaluation }) => ({ version, evaluation, score: scoreOf(evaluation) }));
  return best(1, scored)[0];
}

/** An incomplete evaluation is behind every complete one: its rate is of the tasks that happened to be judged. */
function scoreOf(evaluation: EvaluationRecord): number {
  const { success, incomplete } = successRate(evaluation);
  return incomplete ? success - 2 : success;
}
