import { plot } from 'asciichart';
import { percent } from '../../src/jobs/percent.ts';
import { outcomeText } from './outcome-text.ts';
import type { Measured, TrainingReport } from './report.ts';

/** A question and the table that answers it, already formatted. */
export interface AnsweredQuery {
  title: string;
  /** What to type to get it again. */
  command: string;
  table: string;
}

const CHART_WIDTH = 60;
const CHART_HEIGHT = 10;

const more = (job: string): string =>
  `What the policy learned to do: npx millrace query why --job ${job}. Anything else: npx millrace sql "SELECT ...".`;

/** The report for people. */
export function reportText(report: TrainingReport, answers: readonly AnsweredQuery[]): string {
  const sections = [
    outcomeText(report.outcome),
    heldOutText(report),
    collapseText(report),
    curveText(report),
    ...answers.map(answerText),
    more(report.job),
    accountingText(report),
    processText(report),
  ];
  return `\n${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function heldOutText({ heldOut, trajectories, trainSeconds, totalSeconds, trajectoriesPerSecond }: TrainingReport): string {
  const { trained } = heldOut;
  const { doNothing, random, untrained, oracle } = heldOut.baselines;
  const interval = trained ? `   95 % interval ${percent(trained.ci95[0])} to ${percent(trained.ci95[1])}` : '';
  const rate = (measured: Measured | null): string => measured?.text ?? 'not measured';
  const rows: [string, string][] = [
    ['do nothing', rate(doNothing)],
    ['uniform random', rate(random)],
    ['untrained planner', rate(untrained)],
    ['trained planner, last version', rate(trained) + interval],
    ['rule planner', rate(oracle)],
  ];
  return [
    `Success on ${heldOut.tasks} validation tasks${heldOut.incomplete ? ' (INCOMPLETE: not all flows could be judged)' : ''}`,
    ...rows.map(([name, value]) => `  ${name.padEnd(32)}${value}`),
    `  ${trajectories.toLocaleString('en')} trajectories in ${trainSeconds.toFixed(1)} s of training ` +
      `(${trajectoriesPerSecond.toFixed(0)}/s), ${totalSeconds.toFixed(1)} s in all`,
  ].join('\n');
}

function collapseText({ collapse }: TrainingReport): string {
  if (collapse === null) return '';
  const { code, message, lasting } = collapse;
  return `${lasting ? 'WARNING' : 'For a while'} ${code}: ${message}`;
}

function curveText({ curve }: TrainingReport): string {
  const points = curve.flatMap(({ trajectories, success }) => (success === null ? [] : [[trajectories, 100 * success] as const]));
  if (points.length < 2) return '';
  const values = resample(points);
  const chart = plot(values, { height: CHART_HEIGHT, min: 0, max: 100, format: (x) => `${x.toFixed(0).padStart(4)} %` });
  const last = points.at(-1)![0].toLocaleString('en');
  const axis = `       0${last.padStart(CHART_WIDTH - 1)} trajectories`;
  return `Success on the validation tasks while it learned\n${chart}\n${axis}`;
}

/** Values at evenly spaced places, since evaluations need not be. */
function resample(points: readonly (readonly [number, number])[]): number[] {
  const end = points.at(-1)![0];
  return Array.from({ length: CHART_WIDTH }, (_, i) => {
    const x = (end * i) / (CHART_WIDTH - 1);
    const after = points.findIndex(([at]) => at >= x);
    if (after <= 0) return points[Math.max(0, after)]![1];
    const [[x0, y0], [x1, y1]] = [points[after - 1]!, points[after]!];
    return x1 === x0 ? y1 : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
  });
}

function answerText({ title, command, table }: AnsweredQuery): string {
  return `${title}\n${table}\n  ${command}`;
}

function accountingText({ accounting, checkpoint }: TrainingReport): string {
  const { requests, trained, filtered, expired, failed } = accounting;
  const sum = trained + filtered + expired + failed;
  return [
    `Accounting: ${requests} requests = ${trained} trained + ${filtered} filtered + ${expired} expired + ${failed} failed` +
      (sum === requests ? '' : ` + ${requests - sum} open`),
    ...(checkpoint === '' ? [] : [`Checkpoint: ${checkpoint}`]),
  ].join('\n');
}

function processText({ processes }: TrainingReport): string {
  const line = processes
    .map(({ role, peakRssBytes, cpuSeconds }) => `${role} ${(peakRssBytes / 2 ** 20).toFixed(0)} MiB/${cpuSeconds.toFixed(0)} s`)
    .join(' · ');
  return `Processes (peak memory/processor time): ${line}`;
}
