import { inRange } from '../check.ts';

/** What {@link dynamicSampling} decides by. */
export interface Draws {
  /** Groups so far whose outcomes differ. */
  informative: number;
  /** Groups that a round needs. */
  needed: number;
  /** How often the round's groups were drawn. */
  draws: number;
  /** How often they may be. Default 10. */
  maxDraws?: number;
  /** Share of the trajectories drawn that succeeded, 0 to 1. */
  successRate: number;
}

/**
 * What dynamic sampling does next: nothing more is needed, draw again, or say that the tasks are unsuitable and go on with what
 * there is. `invalid_argument` for counts that are negative or not whole.
 * Source: DAPO, arXiv 2503.14476.
 */
export function dynamicSampling({
  informative,
  needed,
  draws,
  maxDraws = 10,
  successRate,
}: Draws): 'enough' | 'draw' | Unsuitable {
  for (const [field, count] of Object.entries({ informative, needed, draws })) inRange(field, count, { min: 0, whole: true });
  inRange('maxDraws', maxDraws, { min: 1, whole: true });
  inRange('successRate', successRate, { min: 0, max: 1 });
  if (informative >= needed) return 'enough';
  return draws < maxDraws ? 'draw' : unsuitable(successRate);
}

/** Why groups do not differ. */
export type Unsuitable = 'too easy' | 'too hard';

/** Why the groups of tasks that this share of trajectories solved do not differ. */
export function unsuitable(successRate: number): Unsuitable {
  return successRate >= 0.5 ? 'too easy' : 'too hard';
}
