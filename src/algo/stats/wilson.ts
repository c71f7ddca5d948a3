/**
 * Wilson score interval of a proportion: bounds of the success probability given `successes` of `n` trials.
 *
 * Stays within [0, 1] and is sensible at 0 and n successes, unlike the normal approximation. `z` is the normal quantile,
 * 1.96 for 95 %. No trials: [0, 1]. Source: E. B. Wilson, JASA 22 (1927).
 */
export function wilson(successes: number, n: number, z = 1.96): [low: number, high: number] {
  if (n <= 0) return [0, 1];
  const share = successes / n;
  const z2 = z * z;
  const centre = share + z2 / (2 * n);
  const spread = z * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  const scale = 1 + z2 / n;
  // Exact at the ends, where rounding would leave a speck.
  return [successes <= 0 ? 0 : (centre - spread) / scale, successes >= n ? 1 : (centre + spread) / scale];
}
