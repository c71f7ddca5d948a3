import { courseOf } from '../../cluster/report/monotonicity.ts';
import type { CurvePoint } from '../algorithms/curve.ts';
import type { TrialResult } from '../algorithms/trial.ts';

/** How the training of one seed went; rates are 0 to 1. */
export interface SeedEnd {
  seed: number;
  /** On the test tasks, by the version that was best on the validation tasks; null where there are none. */
  tested: number | null;
  /** On the validation tasks. */
  best: number;
  last: number;
  /** Trajectories at which a line through the evaluations crosses the target; null when it does not. */
  toTarget: number | null;
  /** The furthest that an evaluation was below the best before it, in percentage points. */
  largestDrop: number;
  cpuSeconds: number;
}

/** What {@link SeedEnd} says of a trial. */
export function endOf(seed: number, { curve, tested, cpuSeconds, setup }: TrialResult): SeedEnd {
  const rates = curve.map(({ success }) => success);
  return {
    ...{ seed, tested, cpuSeconds },
    best: Math.max(0, ...rates),
    last: rates.at(-1) ?? 0,
    toTarget: crossing(curve, setup.target),
    largestDrop: courseOf(rates).largestDrop,
  };
}

/** Where success first crosses `target`, between two evaluations by a straight line. It begins with 0 at 0 trajectories. */
export function crossing(curve: readonly CurvePoint[], target: number): number | null {
  let before = { trajectories: 0, success: 0 };
  for (const { trajectories, success } of curve) {
    if (success >= target) {
      const share = success === before.success ? 0 : (target - before.success) / (success - before.success);
      return Math.round(before.trajectories + Math.max(0, share) * (trajectories - before.trajectories));
    }
    before = { trajectories, success };
  }
  return null;
}

/** The figures that gates are about, over all seeds. */
export function figuresOf(ends: readonly SeedEnd[]): Record<'leastTested' | 'meanToTarget', number> {
  const reached = ends.map(({ toTarget }) => toTarget ?? Infinity);
  return {
    leastTested: Math.min(...ends.map(({ tested, best }) => tested ?? best)),
    meanToTarget: reached.reduce((sum, one) => sum + one, 0) / ends.length,
  };
}
