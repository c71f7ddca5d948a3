import { loadavg } from 'node:os';
import { writeBetween } from '../algorithms/document.ts';
import { EVERYWHERE, EXAMPLES } from '../algorithms/examples.ts';
import {
  addedOverrides,
  seedsUpTo,
  trialOptions,
  trialsOptions,
  wholeNumber,
  type TrialTableOptions,
} from '../algorithms/options.ts';
import { PAGE } from '../algorithms/scenario.ts';
import { commonColumns, markdownTable, rowsOf, STALENESS } from '../algorithms/table.ts';
import { runTrials, type PlannedTrial } from '../algorithms/trials.ts';
import type { Scenario } from '../scenario.ts';
import { offPolicyRows } from './rows.ts';

type Options = TrialTableOptions & { staleness: number; rows?: string };

/** Virtual milliseconds of a learner's message. Rollouts take none, so any delay lets them run ahead as far as η allows. */
const LEARNER_DELAY_MS = 200;

/** What stale groups cost: learners are slowed until every group is η versions old, with and without corrections. */
export const offPolicy: Scenario = {
  name: 'off-policy',
  summary:
    'retail with slowed learners and groups η versions old: naive, decoupled and truncated importance sampling beside η = 0',
  configure(command) {
    trialOptions(command, { seeds: 5, document: 'docs/algorithms.md' })
      .option('--staleness <η>', 'versions that groups may be behind', wholeNumber, 4)
      .option('--rows <text>', 'only rows whose label contains this');
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const planned = plan(options);
    context.note(`${planned.length} trials, ${options.parallel} at a time; load average ${loadavg()[0]!.toFixed(1)}`);
    const trials = await runTrials(planned, trialsOptions(options), context);
    const columns = commonColumns(EXAMPLES.retail.target, 'training');
    columns.splice(1, 0, STALENESS);
    const table = markdownTable(rowsOf(trials), columns);
    context.print(table);
    for (const { label, result } of trials) if (result.state !== 'SUCCEEDED') context.print(`${label}: ${result.error}`);
    if (options.document) await writeBetween(PAGE, 'table off-policy', table);
    return trials.some(({ result }) => result.state !== 'SUCCEEDED') ? 1 : 0;
  },
};

/** The trials: each row with each seed. */
export function plan(options: Pick<Options, 'seeds' | 'rounds' | 'set' | 'staleness' | 'rows'>): PlannedTrial[] {
  const { job, target, overrides } = EXAMPLES.retail;
  const rows = offPolicyRows(options.staleness).filter(({ label }) => label.includes(options.rows ?? ''));
  // Seed after seed, so that an interruption leaves every row with as many.
  return seedsUpTo(options.seeds).flatMap((seed) =>
    rows.map(({ label, algorithm, maxStaleness }) => {
      const staleness = `rollout.maxStaleness=${maxStaleness}`;
      const added = [...addedOverrides(options), seed];
      return {
        label,
        setup: {
          job,
          target,
          overrides: [...EVERYWHERE, ...overrides, staleness, ...added],
          algorithm,
          learnerDelayMs: LEARNER_DELAY_MS,
        },
      };
    }),
  );
}
