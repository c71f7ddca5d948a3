import type { Evaluation } from '../../src/gen/millrace/v1/admin_pb.ts';
import { successRate } from '../../src/jobs/success-rate.ts';

/** How far below the best success later ones may be, in [0, 1]. */
const BAND = 0.03;

/** Whether a training has come to where it stays. */
export interface Convergence {
  converged: boolean;
  /** Trajectories trained on when success on the validation tasks first was where it stayed; null when it has not converged. */
  trajectories: number | null;
  /** In words. */
  text: string;
}

/**
 * A training has converged when success on the validation tasks has come within 3 points of its best and stayed there for at least two
 * evaluations, up to the last one.
 *
 * @param trained - evaluations of the trained policy on the validation tasks, by version; those that are incomplete do not count
 */
export function convergence(trained: readonly Evaluation[]): Convergence {
  const points = trained
    .map((evaluation) => ({ trajectories: Number(evaluation.trajectories), ...successRate(evaluation) }))
    .filter(({ incomplete }) => !incomplete);
  const not = (text: string): Convergence => ({ converged: false, trajectories: null, text: `not converged: ${text}` });
  if (points.length < 2) return not('it was measured too seldom to tell');
  const best = Math.max(...points.map(({ success }) => success));
  const lastOutside = points.findLastIndex(({ success }) => success < best - BAND);
  const since = points[lastOutside + 1];
  if (since === undefined)
    return not(`success ended ${(100 * (best - points.at(-1)!.success)).toFixed(1)} points below its best`);
  if (since === points.at(-1)) return not('success was still rising');
  const { trajectories } = since;
  return { converged: true, trajectories, text: `converged after ${trajectories.toLocaleString('en')} trajectories` };
}
