import { percent } from '../../src/jobs/percent.ts';
import { monotonicityText } from './monotonicity.ts';
import type { Figure, Outcome } from './outcome.ts';

const dollars = (value: number): string => `$${value.toLocaleString('en', { maximumFractionDigits: 2 })}`;
const points = (value: number): string => `${value < 0 ? '' : '+'}${value.toFixed(1)}`;

/** What the training came to, for people. */
export function outcomeText(outcome: Outcome): string {
  const { version, taskSet, tasks, validationTasks, pass_at_k: passes } = outcome;
  if (version === null) return '';
  const title =
    taskSet === 'test'
      ? `On ${tasks} test tasks, measured once: version ${version}, the best on ${validationTasks} validation tasks`
      : `On ${tasks} validation tasks, which also chose version ${version} (no test set: success may be too good)`;
  const rows: string[][] = [['', 'before', 'after', '95 % interval of after']];
  const row = (name: string, { before, after }: Outcome['avg_reward'], show: (value: number) => string): void => {
    if (after === null) return;
    rows.push([name, before ? show(before.value) : '–', show(after.value), intervalText(after, show)]);
  };
  row('success_rate', outcome.success_rate, percent);
  row('avg_reward', outcome.avg_reward, (value) => value.toFixed(3));
  row('avg_steps', outcome.avg_steps, (value) => value.toFixed(2));
  row('tool_accuracy', outcome.tool_accuracy, percent);
  if (isUsed(outcome.tokens_per_query)) row('tokens per query', outcome.tokens_per_query, (value) => value.toFixed(0));
  if (isUsed(outcome.cost_per_1000_queries)) row('cost per 1,000 queries', outcome.cost_per_1000_queries, dollars);
  for (const [name, figure] of Object.entries(passes)) row(`${name} (sampled)`, { before: null, after: figure }, percent);
  return [title, ...tableLines(rows), ...verdictLines(outcome)].join('\n');
}

/** Which metrics are worse. More steps of a policy that solves more are told apart: one that solves nothing may give up early. */
function worseText(metrics: Outcome['metrics']): string {
  const solvesMore = metrics.some(({ metric, verdict }) => metric === 'success' && verdict === 'better');
  const worse = metrics.filter(({ verdict }) => verdict === 'worse').map(({ metric }) => metric);
  const others = worse.filter((metric) => !(solvesMore && metric === 'steps'));
  const text = others.length === 0 ? 'no metric is worse than the baseline' : `worse than the baseline: ${others.join(', ')}`;
  return others.length === worse.length ? text : `${text} (it takes more steps, and solves more)`;
}

function intervalText({ ci95 }: Figure, show: (value: number) => string): string {
  return ci95 === null ? 'not known' : `${show(ci95[0])} to ${show(ci95[1])}`;
}

function isUsed({ before, after }: Outcome['tokens_per_query']): boolean {
  return (before?.value ?? 0) > 0 || (after?.value ?? 0) > 0;
}

/** The first and last columns to the left, figures to the right. */
function tableLines(rows: readonly string[][]): string[] {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]!.length));
  const widths = [0, 1, 2].map(width);
  return rows.map(
    ([name, before, after, interval]) =>
      `  ${name!.padEnd(widths[0]!)}  ${before!.padStart(widths[1]!)}  ${after!.padStart(widths[2]!)}  ${interval!}`,
  );
}

function verdictLines({ difference, convergence, monotonicity, metrics, types, value }: Outcome): string[] {
  const lines: string[] = [];
  if (difference !== null) {
    const { points: by, ci95, wins, losses, evidence, threshold, decision } = difference;
    const strength = evidence >= 1e4 ? evidence.toExponential(0) : evidence.toFixed(1);
    lines.push(
      `difference ${points(by)} points (95 % interval ${points(ci95[0])} to ${points(ci95[1])}): ${decision}; ` +
        `only after ${wins} tasks, only before ${losses} (E ${strength}, needed ${threshold.toFixed(0)})`,
    );
  }
  lines.push(convergence.text, monotonicityText(monotonicity));
  if (metrics.length > 0) lines.push(worseText(metrics));
  if (types.length > 0) {
    const shown = types.map(({ type, tasks, after, verdict }) => `${type} ${percent(after)} of ${tasks}, ${verdict}`);
    lines.push('by type of task:', ...shown.map((text) => `  ${text}`));
  }
  if (value !== null) {
    const { queriesPerMonth, pricePerSolved, moreSolvedPerMonth, gainPerMonth, cost, roi, payBackMonths } = value;
    const { taken, paid } = {
      taken: roi === null ? 'no ROI, as the training cost nothing that is known' : `ROI ${percent(roi)} in the first year`,
      paid: payBackMonths === null ? 'it never pays back' : `paid back after ${payBackMonths.toFixed(2)} months`,
    };
    lines.push(
      `${queriesPerMonth.toLocaleString('en')} queries a month at ${dollars(pricePerSolved)} a solved one: ` +
        `${Math.round(moreSolvedPerMonth).toLocaleString('en')} more solved, ${dollars(gainPerMonth)} a month, for ${dollars(cost)} of training; ${taken}, ${paid}`,
    );
  }
  return lines.map((line) => `  ${line}`);
}
