/** Arithmetic and text of the comparison; nothing is measured here. */
import { table } from '../../cluster/cli/table.ts';

/** Held-out success that counts as learned. */
const GOAL = 0.85;

/** A point of a learning curve. */
export interface CurvePoint {
  /** Trained on until then. */
  trajectories: number;
  /** Of training, evaluations between rounds included. */
  seconds: number;
  /** Share of the held-out tasks solved greedily. */
  success: number;
}

/** Who runs the flows of the PyTorch script: the script itself, in Python, or a Node.js child of it, with our own code. */
export const PEERS = ['python', 'node'] as const;
/** Who runs the flows of the PyTorch script. */
export type Peer = (typeof PEERS)[number];

/** What one system did. */
export interface TrainingRun {
  system: 'millrace' | `pytorch-${Peer}`;
  /** Trained on. */
  trajectories: number;
  /** From the first request to the last update. */
  seconds: number;
  curve: readonly CurvePoint[];
}

/** A run as a row of `--json`. */
export interface TrainingRow extends TrainingRun {
  trajectoriesPerSecond: number;
  /** The first point of the curve at {@link GOAL} or above; null when there is none. */
  secondsTo85: number | null;
  trajectoriesTo85: number | null;
  /** At the end of the curve; null where nothing was evaluated. */
  heldOut: number | null;
}

/** Throughput, and when the goal was reached. */
export function rowOf(run: TrainingRun): TrainingRow {
  const reached = run.curve.find(({ success }) => success >= GOAL);
  return {
    ...run,
    trajectoriesPerSecond: run.seconds > 0 ? run.trajectories / run.seconds : 0,
    secondsTo85: reached?.seconds ?? null,
    trajectoriesTo85: reached?.trajectories ?? null,
    heldOut: run.curve.at(-1)?.success ?? null,
  };
}

/** Seconds that a run took for its first `trajectories`: linear between the points of its curve, and its end. */
export function secondsAt(run: TrainingRun, trajectories: number): number {
  const points = [
    { trajectories: 0, seconds: 0 },
    ...run.curve.filter((point) => point.trajectories > 0),
    { trajectories: run.trajectories, seconds: run.seconds },
  ];
  const next = points.findIndex((point) => point.trajectories >= trajectories);
  if (next <= 0) return next < 0 ? run.seconds : 0;
  const [from, to] = [points[next - 1]!, points[next]!];
  const share = (trajectories - from.trajectories) / Math.max(1, to.trajectories - from.trajectories);
  return from.seconds + share * (to.seconds - from.seconds);
}

/**
 * How many times as many trajectories a second `run` made as `peer`, over the first trajectories that both made. Flows become shorter
 * while a policy learns: a run that was cut short would otherwise be compared on its longest flows alone.
 */
export function ratioOf(run: TrainingRun, peer: TrainingRun): { ratio: number; trajectories: number } {
  const trajectories = Math.min(run.trajectories, peer.trajectories);
  const own = secondsAt(run, trajectories);
  return { ratio: own > 0 ? secondsAt(peer, trajectories) / own : 0, trajectories };
}

/** The rows as a table. */
export function comparisonText(rows: readonly TrainingRow[]): string {
  const count = (value: number): string => Math.round(value).toLocaleString('en-US');
  const orNot = (value: number | null, show: (value: number) => string): string => (value === null ? '-' : show(value));
  return table(
    ['system', 'trajectories/s', '85 % after', 'trajectories', 'held out', 'in all', 'trajectories'],
    rows.map((row) => [
      row.system,
      count(row.trajectoriesPerSecond),
      orNot(row.secondsTo85, (seconds) => `${seconds.toFixed(1)} s`),
      orNot(row.trajectoriesTo85, count),
      orNot(row.heldOut, (success) => `${(100 * success).toFixed(1)} %`),
      `${row.seconds.toFixed(1)} s`,
      count(row.trajectories),
    ]),
    { right: [1, 2, 3, 4, 5, 6] },
  );
}
