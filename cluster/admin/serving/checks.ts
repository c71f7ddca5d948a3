import type { Duration } from '@bufbuild/protobuf/wkt';
import { MillraceError } from '../../../src/errors.ts';
import type { CreateExperimentRequest } from '../../../src/gen/millrace/v1/adapters_pb.ts';
import { EXPERIMENT_ID, type Experiment } from '../../../src/jobs/experiments/experiment.ts';
import { checkCount } from '../validation.ts';

/** Longest time that a reward is waited for: live tasks are kept as long. */
export const MOST_REWARD_MS = 7 * 24 * 3600 * 1000;
const DAY_MS = 24 * 3600 * 1000;

function invalid(field: string, message: string): MillraceError {
  return new MillraceError('invalid_argument', message, { field });
}

/** Id of an experiment. */
export function checkExperimentId(id: string): string {
  if (EXPERIMENT_ID.test(id)) return id;
  throw invalid(
    'id',
    `${JSON.stringify(id.slice(0, 60))} is no experiment's id: use 1 to 40 lower-case letters, digits and "-".`,
  );
}

/** Why somebody decided. */
export function checkReason(reason: string): string {
  if (reason.length <= 1000) return reason;
  throw invalid('reason', `has ${reason.length} characters; the most is 1000.`);
}

/** When a new experiment decides. */
export function experimentRule(
  request: CreateExperimentRequest,
): Pick<Experiment, 'share' | 'alpha' | 'minPairs' | 'maxPairs' | 'rewardWithinMs'> {
  const minPairs = checkCount('min_pairs', request.minPairs, { min: 1, max: 10_000, byDefault: 30 });
  const byDefault = Math.max(minPairs, 5000);
  return {
    share: fraction('share', request.share, { min: 0.05, max: 0.95, byDefault: 0.5 }),
    alpha: fraction('alpha', request.alpha, { min: Number.MIN_VALUE, max: 0.5, byDefault: 0.05 }),
    minPairs,
    maxPairs: checkCount('max_pairs', request.maxPairs, { min: minPairs, max: 10_000, byDefault }),
    rewardWithinMs: checkDurationMs('reward_within', request.rewardWithin, { min: 1000, max: MOST_REWARD_MS, byDefault: DAY_MS }),
  };
}

function fraction(
  field: string,
  value: number,
  { min, max, byDefault }: { min: number; max: number; byDefault: number },
): number {
  if (value === 0) return byDefault;
  if (value >= min && value <= max) return value;
  const least = min < 1e-9 ? 'above 0' : `${min}`;
  throw invalid(field, `got ${value}, expected ${least} to ${max} (0 or absent: ${byDefault}).`);
}

/** A duration in milliseconds. */
export function checkDurationMs(
  field: string,
  duration: Duration | undefined,
  { min, max, byDefault }: { min: number; max: number; byDefault: number },
): number {
  if (duration === undefined) return byDefault;
  const ms = Number(duration.seconds) * 1000 + Math.round(duration.nanos / 1e6);
  if (ms >= min && ms <= max) return ms;
  throw invalid(field, `got ${ms / 1000} s, expected ${min / 1000} to ${max / 1000} s (absent: ${byDefault / 1000} s).`);
}
