/**
 * log-softmax of `scores / temperature` within each segment [start[s], start[s + 1]), in float64 inside; `temperature` is one value or one per segment. Only open actions
 * have a score, so the support is masked by construction.
 */
export function segmentLogSoftmax(scores: Float32Array, start: Int32Array, temperature: number | Float64Array): Float32Array {
  const logProbs = new Float32Array(scores.length);
  for (let s = 0; s + 1 < start.length; s++) {
    const t = typeof temperature === 'number' ? temperature : temperature[s]!;
    const from = start[s]!;
    const to = start[s + 1]!;
    let largest = -Infinity;
    for (let i = from; i < to; i++) largest = Math.max(largest, scores[i]!);
    let sum = 0;
    for (let i = from; i < to; i++) sum += Math.exp((scores[i]! - largest) / t);
    const normalizer = largest / t + Math.log(sum);
    for (let i = from; i < to; i++) logProbs[i] = scores[i]! / t - normalizer;
  }
  return logProbs;
}
