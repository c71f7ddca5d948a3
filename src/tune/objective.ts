/** What a search is after: the held-out success at the end, or the fewest trajectories until it reaches a share. */
export type Objective = { kind: 'held-out-success' } | { kind: 'trajectories-to'; target: number };

/** One evaluation of the policy in training, as far as a search looks at it. */
export interface Measurement {
  /** Committed rounds = policy version. */
  round: number;
  /** Trajectories trained on until then. */
  trajectories: number;
  /** Held-out success, 0 to 1. */
  success: number;
}

/** A rung that a trial has come to. */
export interface RungScore {
  round: number;
  /** What trials are compared by; more is better. */
  score: number;
}

/** Trajectories until the first evaluation with at least `target`; undefined when there is none. */
export function trajectoriesTo(target: number, measurements: readonly Measurement[]): number | undefined {
  return measurements.find(({ success }) => success >= target)?.trajectories;
}

/** How many doublings of the trajectories a trial counts as worse that never had any success than one that nearly made it. */
const SHORTFALL_DOUBLINGS = 2;

/**
 * Scores of a trial at each rung it has come to; more is better.
 *
 * - `held-out-success`: the success at the rung, 0 to 1.
 * - `trajectories-to`: −log2 of the trajectories it took, in thousands. A trial that has not got there at the rung is worse than
 *   every one that has: −log2(capacity) − 1 − 2 (target − best)/target. Once reached, it holds for all rungs.
 *
 * @param measurements - evaluations in the order of their rounds
 * @param rungs - in rounds, ascending
 * @param capacity - the most trajectories that any trial of the search can take
 */
export function rungScores(
  objective: Objective,
  measurements: readonly Measurement[],
  rungs: readonly number[],
  capacity: number,
): RungScore[] {
  if (objective.kind === 'held-out-success') {
    return rungs.flatMap((round) => {
      const at = measurements.find((measurement) => measurement.round === round);
      return at === undefined ? [] : [{ round, score: at.success }];
    });
  }
  const { target } = objective;
  const scores: RungScore[] = [];
  for (const round of rungs) {
    const until = measurements.filter((measurement) => measurement.round <= round);
    const taken = trajectoriesTo(target, until);
    if (taken !== undefined) scores.push({ round, score: -thousands(Math.min(taken, capacity)) });
    else if (until.at(-1)?.round === round) {
      const best = Math.max(...until.map(({ success }) => success));
      const missing = (target - best) / target;
      scores.push({ round, score: -thousands(capacity) - 1 - SHORTFALL_DOUBLINGS * missing });
    } else break;
  }
  return scores;
}

function thousands(trajectories: number): number {
  return Math.log2(Math.max(1, trajectories) / 1000);
}
