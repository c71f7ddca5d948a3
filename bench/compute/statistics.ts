/** The middle value, or the mean of the two in the middle. NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How far apart two numbers are, in relation to the larger one; 0 for two zeros, infinite when one is not finite. */
export function relativeDifference(a: number, b: number): number {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return Infinity;
  const larger = Math.max(Math.abs(a), Math.abs(b));
  return larger === 0 ? 0 : Math.abs(a - b) / larger;
}

/** Repetitions that fill about `burstMs`, given how long one takes; between 1 and 500. */
export function repetitionsFor(burstMs: number, eachMs: number): number {
  return Math.max(1, Math.min(500, Math.round(burstMs / Math.max(eachMs, 1e-3))));
}
