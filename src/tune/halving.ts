/** Successive halving: trials are compared at each of `rounds`, and `keep` of them go on. */
export interface Halving {
  /** Rungs, in rounds of training, ascending; the last one is the whole of a trial. */
  rounds: readonly number[];
  /** Share of the trials that go on from a rung; in (0, 1]. */
  keep: number;
}

/**
 * Whether a trial goes on from a rung: it does unless more than `keep` of the trials that were measured there, itself among
 * them, did better. Trials run one after the other, so each is held against those before it (the stopping rule of
 * asynchronous successive halving, Li et al., arXiv 1810.05934). The share is rounded up and equals go on together, so the
 * first trial always does.
 *
 * @param score - its own score at the rung; more is better
 * @param others - scores of the other trials at the same rung
 */
export function goesOn(score: number, others: readonly number[], keep: number): boolean {
  const better = others.filter((other) => other > score).length;
  // 0.3 * 10 is 3.0000000000000004 in floating point, which must not become 4.
  return better < Math.ceil(keep * (others.length + 1) - 1e-9);
}

/** Rounds between two evaluations with which every rung is evaluated: the largest that divides all and is at most `wanted` (0: no limit). */
export function evaluationInterval(rungs: readonly number[], wanted: number): number {
  const common = rungs.reduce(greatestCommonDivisor);
  if (wanted <= 0 || wanted >= common) return common;
  let interval = Math.floor(wanted);
  while (common % interval !== 0) interval -= 1;
  return interval;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
