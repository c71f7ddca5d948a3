import type { Values } from './space.ts';

/** A score that was measured. */
export interface TrialScore {
  values: Values;
  /** How much of a whole trial it took, 0 to 1, on the scale of `fidelityOf` (suggest.ts). */
  fidelity: number;
  /** More is better. */
  score: number;
}
