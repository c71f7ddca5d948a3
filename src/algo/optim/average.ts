/** Versions over which the decay grows to its full value, as in TensorFlow's ExponentialMovingAverage. */
const RAMP = 10;

/**
 * Adds a version's weights to the exponential moving average of the versions before it:
 * `average <- average + (1 - d) (weights - average)` with `d = min(decay, (1 + version) / (10 + version))`, so that the first
 * weights, which nothing was learned from, are soon forgotten.
 *
 * @param average - changed in place
 * @param options.decay - 0 to below 1; about 1 / (1 - decay) versions count
 * @param options.version - of `weights`, from 1
 */
export function addToAverage(
  average: Float32Array,
  weights: Float32Array,
  { decay, version }: { decay: number; version: number },
): void {
  const share = 1 - Math.min(decay, (1 + version) / (RAMP + version));
  for (let i = 0; i < average.length; i++) average[i]! += share * (weights[i]! - average[i]!);
}
