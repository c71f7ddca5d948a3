import { bestMeasured } from './kept-checkpoints.ts';
import { percent } from './percent.ts';
import type { EvaluationRecord, JobRecord } from './record.ts';
import { successRate } from './success-rate.ts';

/** The last round of a job that ends before `rounds`, and why. */
export interface EarlyStop {
  round: number;
  reason: string;
}

/** Rounds of a job: those of its configuration, fewer where it was stopped early. */
export function roundsOf({ config, earlyStop }: Pick<JobRecord, 'config' | 'earlyStop'>): number {
  return earlyStop?.round ?? config.rounds;
}

/**
 * Why a job should stop, by its evaluations on the validation tasks so far: the best of them has reached `evaluation.target`, or the last
 * `evaluation.patience` of them were no better than one before. Incomplete evaluations count as no better. Undefined: it goes on.
 */
export function reasonToStop({ config, evaluations }: Pick<JobRecord, 'config' | 'evaluations'>): string | undefined {
  const { target, patience } = config.evaluation;
  const best = bestMeasured({ evaluations });
  if (best === undefined || successRate(best.evaluation).incomplete) return undefined;
  const { success } = successRate(best.evaluation);
  const reached = `${percent(success)} of the validation tasks at version ${best.version}`;
  if (target !== undefined && success >= target) return `it solves ${reached}, and evaluation.target is ${percent(target)}`;
  if (patience === 0) return undefined;
  const first = evaluations.filter(({ name }) => name === 'trained').find((evaluation) => isAsGood(evaluation, success))!;
  const since = evaluations.filter(({ name, policyVersion }) => name === 'trained' && policyVersion > first.policyVersion);
  if (since.length < patience) return undefined;
  return `it solved ${percent(success)} of the validation tasks at version ${first.policyVersion}, and no more in ${since.length} evaluations after it (evaluation.patience)`;
}

/**
 * Where to stop a job for which there is a reason: the round that the requests which were admitted at `version` are for, at most. No
 * request that was sent is for nothing. Undefined when it goes on, has stopped, or has no more rounds to leave out.
 */
export function earlyStopAt(record: JobRecord, version: number): EarlyStop | undefined {
  if (record.earlyStop !== undefined || record.evaluates !== undefined) return undefined;
  const round = version + record.config.rollout.maxStaleness + 1;
  if (round >= record.config.rounds) return undefined;
  const reason = reasonToStop(record);
  return reason === undefined ? undefined : { round, reason };
}

function isAsGood(evaluation: EvaluationRecord, success: number): boolean {
  const rate = successRate(evaluation);
  return !rate.incomplete && rate.success >= success;
}
