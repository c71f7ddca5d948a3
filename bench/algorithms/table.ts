import type { FinishedTrial } from './trials.ts';

/** One row of a table: all trials with a label, over their seeds. */
export interface TrialRow {
  label: string;
  seeds: number;
  /** Trials that did not run to their end; they are in no other figure. */
  failed: number;
  /** Held-out success at the end, 0 to 1; sd is the sample standard deviation, 0 of a single seed. */
  heldOut: Spread;
  /** Trials that reached the target, and the trajectories and seconds that took; means over those that did. */
  reached: number;
  trajectoriesToTarget: Spread;
  secondsToTarget: Spread;
  /** Wall and processor seconds of a whole trial. */
  seconds: Spread;
  cpuSeconds: Spread;
  /** Mean staleness of the trained groups, in versions; most of any. */
  staleness: { mean: number; max: number };
}

/** Mean and sample standard deviation. */
export interface Spread {
  mean: number;
  sd: number;
}

/** Mean and sample standard deviation; 0 and 0 of nothing. */
export function spread(values: readonly number[]): Spread {
  const n = values.length;
  if (n === 0) return { mean: 0, sd: 0 };
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: n > 1 ? Math.sqrt(squares / (n - 1)) : 0 };
}

/** A row for each label, in the order of the first trial of each. */
export function rowsOf(trials: readonly FinishedTrial[]): TrialRow[] {
  const labels = [...new Set(trials.map(({ label }) => label))];
  return labels.map((label) => {
    const all = trials.filter((trial) => trial.label === label).map(({ result }) => result);
    const good = all.filter(({ state }) => state === 'SUCCEEDED');
    const hits = good.flatMap(({ toTarget }) => (toTarget ? [toTarget] : []));
    return {
      label,
      seeds: all.length,
      failed: all.length - good.length,
      heldOut: spread(good.map(({ heldOut }) => heldOut)),
      reached: hits.length,
      trajectoriesToTarget: spread(hits.map(({ trajectories }) => trajectories)),
      secondsToTarget: spread(hits.map(({ seconds }) => seconds)),
      seconds: spread(good.map(({ seconds }) => seconds)),
      cpuSeconds: spread(good.map(({ cpuSeconds }) => cpuSeconds)),
      staleness: {
        mean: spread(good.map(({ staleness }) => staleness.mean)).mean,
        max: Math.max(0, ...good.map(({ staleness }) => staleness.max)),
      },
    };
  });
}

/** A column of a table: its heading, and a cell of each row. */
export interface Column {
  heading: string;
  cell: (row: TrialRow) => string;
}

/** The columns that every table of trials has. */
export function commonColumns(target: number, label: string): Column[] {
  const percent = Math.round(100 * target);
  return [
    { heading: label, cell: (row) => row.label },
    { heading: 'held out', cell: (row) => (row.failed === row.seeds ? 'failed' : percentSpread(row.heldOut)) },
    { heading: `trajectories to ${percent} %`, cell: (row) => toTarget(row, row.trajectoriesToTarget, count) },
    { heading: `seconds to ${percent} %`, cell: (row) => toTarget(row, row.secondsToTarget, (s) => s.toFixed(0)) },
    { heading: 'whole training', cell: (row) => (row.failed === row.seeds ? '–' : `${row.seconds.mean.toFixed(0)} s`) },
    { heading: 'processor', cell: (row) => (row.failed === row.seeds ? '–' : `${row.cpuSeconds.mean.toFixed(0)} s`) },
  ];
}

/** How stale the groups were that were trained on. */
export const STALENESS: Column = {
  heading: 'staleness (most)',
  cell: ({ staleness }) => `${staleness.mean.toFixed(2)} (${staleness.max})`,
};

/** A markdown table, its columns padded as prettier pads them. */
export function markdownTable(rows: readonly TrialRow[], columns: readonly Column[]): string {
  const cells = [columns.map(({ heading }) => heading), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
  const widths = columns.map((_, i) => Math.max(3, ...cells.map((line) => line[i]!.length)));
  const line = (texts: readonly string[]): string => `| ${texts.map((text, i) => text.padEnd(widths[i]!)).join(' | ')} |`;
  const [head, ...body] = cells;
  return [line(head!), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

function percentSpread({ mean, sd }: Spread): string {
  return `${(100 * mean).toFixed(1)} ± ${(100 * sd).toFixed(1)} %`;
}

/** The mean over the seeds that got there, and how many did when not all. */
function toTarget({ reached, seeds }: TrialRow, { mean }: Spread, format: (value: number) => string): string {
  if (reached === 0) return '–';
  return reached === seeds ? format(mean) : `${format(mean)} (${reached} of ${seeds})`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
