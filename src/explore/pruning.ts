import { bounds } from './beta.ts';
import type { Arm } from './state.ts';

/** Options of {@link prunedTools}. */
export interface PruningOptions {
  /** Normal quantile of the bounds. */
  z: number;
  /** Discounted trajectories that a tool needs before its bounds count. */
  minVisits: number;
}

/**
 * The tools that confidence bounds rule out in a state bucket: those whose upper bound is below the largest lower bound. A tool
 * that was used in too few trajectories, or never, is not ruled out and rules nothing out. The best one always stays.
 */
export function prunedTools(
  tools: readonly number[],
  arms: ReadonlyMap<number, Arm> | undefined,
  { z, minVisits }: PruningOptions,
): Set<number> {
  const pruned = new Set<number>();
  if (arms === undefined) return pruned;
  const known = tools.flatMap((tool) => {
    const arm = arms.get(tool);
    return arm !== undefined && arm.good + arm.bad >= minVisits ? [[tool, bounds(arm, z)] as const] : [];
  });
  const best = known.reduce((largest, [, [lower]]) => Math.max(largest, lower), 0);
  for (const [tool, [, upper]] of known) if (upper < best) pruned.add(tool);
  return pruned;
}
