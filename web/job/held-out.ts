import type { Evaluation } from '../api/types.ts';

/** Held-out success of the trained policy at a version, with its 95 % interval. */
export interface HeldOutPoint {
  version: number;
  rate: number;
  low: number;
  high: number;
}

const Z = 1.959964;

/** The evaluations of the trained policy by version, that of the untrained one as version 0. */
export function heldOutPoints(evaluations: readonly Evaluation[]): HeldOutPoint[] {
  const points = new Map<number, HeldOutPoint>();
  for (const evaluation of evaluations) {
    const { name, policyVersion = 0, tasks = 0, failed = 0, successes = 0, metrics } = evaluation;
    if (name !== 'trained' && !(name === 'untrained' && policyVersion === 0)) continue;
    const judged = tasks - failed;
    if (judged <= 0) continue;
    const [low, high] = wilson(successes, judged);
    const told = metrics?.['success'];
    points.set(policyVersion, {
      version: policyVersion,
      rate: successes / judged,
      low: told?.low ?? low,
      high: told?.high ?? high,
    });
  }
  return [...points.values()].sort((a, b) => a.version - b.version);
}

/** Wilson's interval of a rate. */
export function wilson(successes: number, judged: number): [number, number] {
  const rate = successes / judged;
  const scale = 1 + Z ** 2 / judged;
  const middle = (rate + Z ** 2 / (2 * judged)) / scale;
  const half = (Z * Math.sqrt((rate * (1 - rate)) / judged + Z ** 2 / (4 * judged ** 2))) / scale;
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
