import { inRange } from '../check.ts';
import { logBeta } from './beta.ts';

/** What a sequential comparison has seen: tasks on which the two differ. A task counts once, however many flows of it were run. */
export interface Discordant {
  /** W: tasks on which only the candidate, or the candidate more often, succeeds. */
  wins: number;
  /** L: the same of the baseline. */
  losses: number;
}

/** Options of {@link sequentialTest}. */
export interface SequentialOptions {
  /** Largest probability to decide where there is no difference, whenever and however often it is looked at. Default 0.05. */
  alpha?: number;
  /** K: candidates among which this one was chosen on the same tasks. Default 1. */
  candidates?: number;
  /** a of the prior Beta(a, a) of the share of wins; 1 is uniform, more expects smaller differences. Default 1. */
  prior?: number;
}

/** What a sequential comparison says now. */
export interface SequentialResult {
  /** Evidence against equality: the larger the more. It may be looked at after every pair. */
  evidence: number;
  /** What `evidence` must reach: candidates / alpha. */
  threshold: number;
  decision: 'better' | 'worse' | 'undecided';
}

/**
 * E = 2^(W+L) · B(W+a, L+a) / B(a, a): how much more likely the wins and losses are when the share of wins was drawn from Beta(a, a)
 * than when both are equally likely. Under equality it is a martingale that starts at 1, so that by Ville's inequality it ever reaches
 * 1/alpha with at most probability alpha, at whatever moment one stops. Infinity where it exceeds the largest double.
 *
 * @param prior - a, above 0; default 1
 * @throws MillraceError `invalid_argument` unless wins and losses are whole and at least 0
 */
export function eValue({ wins, losses }: Discordant, prior = 1): number {
  inRange('wins', wins, { min: 0, whole: true });
  inRange('losses', losses, { min: 0, whole: true });
  inRange('prior', prior, { above: 0 });
  return Math.exp((wins + losses) * Math.LN2 + logBeta(wins + prior, losses + prior) - logBeta(prior, prior));
}

/**
 * An always-valid test of two policies on the same tasks: may be asked after every task, and decides at E >= K / alpha. See {@link eValue}.
 * It tells both directions; which one is said by who wins more often.
 */
export function sequentialTest(
  { wins, losses }: Discordant,
  { alpha = 0.05, candidates = 1, prior = 1 }: SequentialOptions = {},
): SequentialResult {
  inRange('alpha', alpha, { above: 0, max: 1 });
  inRange('candidates', candidates, { min: 1, whole: true });
  const [evidence, threshold] = [eValue({ wins, losses }, prior), candidates / alpha];
  if (evidence < threshold || wins === losses) return { evidence, threshold, decision: 'undecided' };
  return { evidence, threshold, decision: wins > losses ? 'better' : 'worse' };
}
