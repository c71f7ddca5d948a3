/** Softmax of a few logits, as the policy kinds beside this file use it. */

/** log-softmax of some of the logits. */
export function logSoftmax(logits: ArrayLike<number>, of: readonly number[], temperature: number): number[] {
  const scores = of.map((index) => logits[index]! / temperature);
  const most = Math.max(...scores);
  const total = most + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - most), 0));
  return scores.map((score) => score - total);
}

export const entropyOf = (logs: readonly number[]): number => -logs.reduce((sum, log) => sum + Math.exp(log) * log, 0);

/** Derivatives with respect to the logits of {@link logSoftmax}, given those by the log-probability of `chosen` and by the entropy. */
export function logitSlopes(
  logs: readonly number[],
  chosen: number,
  by: { log: number; entropy: number; temperature: number },
): number[] {
  const entropy = entropyOf(logs);
  return logs.map((log, j) => {
    const p = Math.exp(log);
    return (((j === chosen ? 1 : 0) - p) * by.log - p * (log + entropy) * by.entropy) / by.temperature;
  });
}

/** A small generator, so that first logits are the same everywhere. */
export function uniforms(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}
