/** Density of the standard normal distribution. */
export function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}

/**
 * Share of the standard normal distribution below x, to about 1e-15: Marsaglia's series (Evaluating the Normal Distribution,
 * 2004), and in the tails, where it would cancel, the continued fraction of the Mills ratio.
 */
export function normalShare(x: number): number {
  if (x > 5) return 1 - normalShare(-x);
  if (x < -5) {
    // Φ(x) = φ(x) / (−x + 1/(−x + 2/(−x + 3/…))), evaluated from the inside out.
    let fraction = -x;
    for (let k = 60; k > 0; k -= 1) fraction = -x + k / fraction;
    return normalDensity(x) / fraction;
  }
  let [sum, term] = [x, x];
  for (let i = 3; Math.abs(term) > 1e-17 * Math.abs(sum) && i < 400; i += 2) {
    term *= (x * x) / i;
    sum += term;
  }
  return 0.5 + sum * normalDensity(x);
}

/**
 * Expected improvement over the best value so far, for maximisation: E[max(0, f − best)] with f ~ N(mean, deviation²), which is
 * (mean − best) Φ(z) + deviation φ(z), z = (mean − best)/deviation (Jones, Schonlau and Welch, 1998).
 *
 * @param deviation - standard deviation; >= 0. At 0 it is max(0, mean − best).
 */
export function expectedImprovement(mean: number, deviation: number, best: number): number {
  const gain = mean - best;
  if (!(deviation > 0)) return Math.max(0, gain);
  const z = gain / deviation;
  return Math.max(0, gain * normalShare(z) + deviation * normalDensity(z));
}
