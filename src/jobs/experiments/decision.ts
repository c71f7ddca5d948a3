import { eValue } from '../../algo/stats/sequential.ts';
import { MOST_UNITS, pairsOf, unitsOf, type Tally } from './tally.ts';

/** When an experiment decides. */
export interface DecisionRule {
  /** Largest probability to decide where the two are equal, whenever and however often it is looked at: (0, 0.5]. */
  alpha: number;
  /** Pairs before which nothing is decided. */
  minPairs: number;
  /** Pairs at which it ends without a winner. */
  maxPairs: number;
}

/** What becomes of an experiment: the candidate is served, the candidate is retired, or nobody has won. */
export type Verdict = 'promote' | 'rollback' | 'inconclusive';

/** What the outcomes say now. */
export interface Evidence {
  /** E of the wins and losses; at most {@link MOST_EVIDENCE}. */
  evidence: number;
  /** 1 / alpha: what it must reach. */
  threshold: number;
  /** Undefined while it is open. */
  verdict: Verdict | undefined;
}

/** E grows beyond what a double holds. */
export const MOST_EVIDENCE = 1e300;

/**
 * What a tally decides, after every outcome. Promotion and rollback need E >= 1/alpha, which is reached with at most probability alpha
 * where the two are equal, however often it is asked (see {@link eValue}); the minimum only leaves looks out. E tells both directions, so that the
 * candidate of an A/A experiment is promoted with at most about alpha / 2.
 */
export function decide(tally: Tally, { alpha, minPairs, maxPairs }: DecisionRule): Evidence {
  const { wins, losses } = tally;
  const evidence = Math.min(eValue({ wins, losses }), MOST_EVIDENCE);
  const threshold = 1 / alpha;
  const pairs = pairsOf(tally);
  const open = { evidence, threshold, verdict: undefined };
  if (pairs >= minPairs && evidence >= threshold && wins !== losses)
    return { ...open, verdict: wins > losses ? 'promote' : 'rollback' };
  return pairs >= maxPairs || unitsOf(tally) >= MOST_UNITS ? { ...open, verdict: 'inconclusive' } : open;
}
