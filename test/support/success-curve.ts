import type { SerialResult } from '../../cluster/serial/index.ts';

/** Success of the trajectories of each round, in order. */
export function successCurve({ store }: SerialResult): number[] {
  return [...store.rows('updates')]
    .sort((a, b) => Number(a['version']) - Number(b['version']))
    .map((row) => Number(row['success_mean']));
}

export function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
