/** One evaluation of the policy in training on the held-out tasks. */
export interface CurvePoint {
  round: number;
  /** Trajectories trained on until then, those of filtered groups among them. */
  trajectories: number;
  /** Share of the held-out tasks solved, 0 to 1; flows that could not be run count in neither part. */
  success: number;
  /** Seconds since the trial began when the evaluation was there, by the wall clock. */
  seconds: number;
}

/** What a metric did over a trial's rounds. */
export interface MetricSummary {
  first: number;
  last: number;
  mean: number;
  max: number;
}

interface EvaluationLike {
  name: string;
  policyVersion: number;
  tasks: number;
  successes: number;
  failed: number;
  trajectories: bigint;
}

/** The evaluations of the policy in training, oldest first. `secondsAt` knows when a version's evaluation was there. */
export function curveOf(evaluations: readonly EvaluationLike[], secondsAt: (version: number) => number): CurvePoint[] {
  return evaluations
    .filter(({ name }) => name === 'trained')
    .map(({ policyVersion, tasks, successes, failed, trajectories }) => ({
      round: policyVersion,
      trajectories: Number(trajectories),
      success: tasks - failed > 0 ? successes / (tasks - failed) : 0,
      seconds: secondsAt(policyVersion),
    }))
    .sort((a, b) => a.round - b.round);
}

/** The first point at or above `target`. */
export function firstReaching(curve: readonly CurvePoint[], target: number): CurvePoint | undefined {
  return curve.find(({ success }) => success >= target);
}

/** Means over trials whose evaluations were after the same rounds; a round that not all of them have is left out. */
export function meanCurve(curves: readonly (readonly CurvePoint[])[]): CurvePoint[] {
  return (curves[0] ?? []).flatMap(({ round }) => {
    const points = curves.flatMap((curve) => curve.filter((point) => point.round === round));
    if (points.length < curves.length) return [];
    const mean = (of: (point: CurvePoint) => number): number => points.reduce((sum, p) => sum + of(p), 0) / points.length;
    return [
      { round, trajectories: mean((p) => p.trajectories), success: mean((p) => p.success), seconds: mean((p) => p.seconds) },
    ];
  });
}

/** First, last, mean and largest value of each name, over the rows that have it as a finite number. */
export function summarise(rows: readonly Readonly<Record<string, number>>[]): Record<string, MetricSummary> {
  const summaries: Record<string, MetricSummary> = {};
  const counts: Record<string, number> = {};
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      if (!Number.isFinite(value)) continue;
      const count = (counts[name] = (counts[name] ?? 0) + 1);
      const before = summaries[name] ?? { first: value, last: value, mean: 0, max: value };
      summaries[name] = {
        first: before.first,
        last: value,
        mean: before.mean + (value - before.mean) / count,
        max: Math.max(before.max, value),
      };
    }
  }
  return summaries;
}
