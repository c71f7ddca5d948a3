import { microDollars } from '../budget/money.ts';
import type { Trajectory } from '../gen/millrace/v1/flow_pb.ts';

/** Tokens and money of one trajectory. */
export interface TrajectoryUsage {
  tokensIn: number;
  tokensOut: number;
  /** Millionths of a US dollar. */
  microDollars: number;
}

const NONE: TrajectoryUsage = { tokensIn: 0, tokensOut: 0, microDollars: 0 };

/** What a trajectory and its reward used; `assessment.usage` is of the reward. */
export function usageOf(trajectory: Trajectory, assessment: { usage?: TrajectoryUsage } | object): TrajectoryUsage {
  const judged = ('usage' in assessment ? assessment.usage : undefined) ?? NONE;
  return {
    tokensIn: Number(trajectory.tokensIn) + judged.tokensIn,
    tokensOut: Number(trajectory.tokensOut) + judged.tokensOut,
    microDollars: costOf(trajectory) + judged.microDollars,
  };
}

/** In micro-dollars; older versions wrote dollars. */
function costOf({ microDollars: micros, cost }: Pick<Trajectory, 'microDollars' | 'cost'>): number {
  return micros > 0n ? Number(micros) : microDollars(cost);
}
