import { loadavg } from 'node:os';
import { meanCurve } from '../algorithms/curve.ts';
import { writeBetween } from '../algorithms/document.ts';
import { EVERYWHERE, EXAMPLES } from '../algorithms/examples.ts';
import { seedsUpTo, trialOptions, trialsOptions, wholeNumber, type TrialTableOptions } from '../algorithms/options.ts';
import { PAGE } from '../algorithms/scenario.ts';
import { commonColumns, markdownTable, rowsOf } from '../algorithms/table.ts';
import { runTrials, type FinishedTrial, type PlannedTrial } from '../algorithms/trials.ts';
import { trialConfig } from '../algorithms/trial.ts';
import type { Scenario } from '../scenario.ts';
import { EFFICIENCY_ROWS, type EfficiencyRow } from './rows.ts';

type Options = TrialTableOptions & { trajectories: number; rows?: string; row: string[] };

/** Evaluations of a trial: what a curve has points. */
const POINTS = 10;

/** How few trajectories examples/retail needs, by what is added to the plainest way of training it. */
export const sampleEfficiency: Scenario = {
  name: 'sample-efficiency',
  summary: 'trajectories that examples/retail needs, by configuration, with the curves',
  configure(command) {
    trialOptions(command, { seeds: 3, document: 'docs/algorithms.md', rounds: false })
      .option('--trajectories <n>', 'length of each training', wholeNumber, 10_000)
      .option('--rows <text>', 'only rows whose label contains this')
      .option(
        '--row <overrides>',
        'a row of your own: overrides separated by blanks, on the job file as it is; may be repeated',
        add,
        [],
      );
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const planned = plan(options);
    context.note(`${planned.length} trials, ${options.parallel} at a time; load average ${loadavg()[0]!.toFixed(1)}`);
    const trials = await runTrials(planned, trialsOptions(options), context);
    const table = markdownTable(rowsOf(trials), commonColumns(EXAMPLES.retail.target, 'configuration'));
    const text = `${table}\n\n${curves(trials)}`;
    context.print(text);
    for (const { label, result } of trials) if (result.state !== 'SUCCEEDED') context.print(`${label}: ${result.error}`);
    if (options.document) await writeBetween(PAGE, 'table sample-efficiency', text);
    return trials.some(({ result }) => result.state !== 'SUCCEEDED') ? 1 : 0;
  },
};

/** The trials: each row with each seed, all of the same number of trajectories. */
export function plan(options: Pick<Options, 'seeds' | 'set' | 'trajectories' | 'rows' | 'row'>): PlannedTrial[] {
  const own = options.row.map((text): EfficiencyRow => ({ label: text, overrides: text.split(/\s+/).filter(Boolean) }));
  const rows = own.length > 0 ? own : EFFICIENCY_ROWS.filter(({ label }) => label.includes(options.rows ?? ''));
  const { job, target } = EXAMPLES.retail;
  return seedsUpTo(options.seeds).flatMap((seed) =>
    rows.map(({ label, overrides, algorithm }) => {
      const { rollout } = trialConfig({ job, target, overrides: [...overrides, ...options.set] });
      const rounds = Math.max(1, Math.round(options.trajectories / (rollout.groupSize * rollout.groupsPerRound)));
      const length = [`rounds=${rounds}`, `evaluation.every=${Math.max(1, Math.round(rounds / POINTS))}`];
      const all = [...EVERYWHERE, ...overrides, ...options.set, ...length, seed];
      return { label, setup: { job, target, overrides: all, ...(algorithm && { algorithm }) } };
    }),
  );
}

/** Held-out success by trajectories, the mean over the seeds: a line for each row. */
function curves(trials: readonly FinishedTrial[]): string {
  const labels = [...new Set(trials.map(({ label }) => label))];
  const lines = labels.map((label) => {
    const points = meanCurve(trials.filter((trial) => trial.label === label).map(({ result }) => result.curve));
    const cells = points.map(
      ({ trajectories, success }) => `${(trajectories / 1000).toFixed(1)}k ${(100 * success).toFixed(0)} %`,
    );
    return `${label}: ${cells.join(' · ')}`;
  });
  return ['```text', ...lines, '```'].join('\n');
}

function add(value: string, before: string[]): string[] {
  return [...before, value];
}
