import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { METHODS } from '../../src/algo/registry.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { writeBetween } from './document.ts';
import { EVERYWHERE, EXAMPLES, type ExampleName, type ExampleTrial } from './examples.ts';
import { addedOverrides, namesOf, seedsUpTo, trialOptions, trialsOptions, type TrialTableOptions } from './options.ts';
import { OPTIONS_MARKER, optionsTable } from './reference.ts';
import { SETTINGS } from './settings.ts';
import { commonColumns, markdownTable, rowsOf } from './table.ts';
import { runTrials, type FinishedTrial, type PlannedTrial } from './trials.ts';

/** The page that `--document` writes tables into. */
export const PAGE = fileURLToPath(new URL('../../docs/algorithms.md', import.meta.url));

type Options = TrialTableOptions & { methods?: string; examples?: string; options?: boolean };

/** Every method on the examples: what it reaches, after how many trajectories, in what time. */
export const algorithms: Scenario = {
  name: 'algorithms',
  summary: 'every training method on the examples: held-out success, trajectories to a target, time',
  configure(command) {
    trialOptions(command, { seeds: 3, document: 'docs/algorithms.md' })
      .option('--methods <names>', 'methods, separated by commas; default: all')
      .option('--options', 'only write the table of options, made from the schemas, into docs/algorithms.md')
      .option('--examples <names>', `examples, separated by commas; default: ${DEFAULT_EXAMPLES.join(',')}`);
  },
  async run(given, context) {
    const options = given as unknown as Options;
    if (options.options) {
      await writeBetween(PAGE, OPTIONS_MARKER, optionsTable());
      return 0;
    }
    const examples = options.examples === undefined ? DEFAULT_EXAMPLES : namesOf(options.examples, names(EXAMPLES));
    const methods = namesOf(options.methods, names(METHODS));
    const planned = examples.flatMap((example) => plan(example, methods, options));
    context.note(`${planned.length} trials, ${options.parallel} at a time; load average ${loadavg()[0]!.toFixed(1)}`);
    const trials = await runTrials(planned, trialsOptions(options), context);
    for (const example of examples) await show(example, trials, options, context);
    return trials.some(({ result }) => result.state !== 'SUCCEEDED') ? 1 : 0;
  },
};

const DEFAULT_EXAMPLES: readonly ExampleName[] = ['retail', 'word-problems'];

function names<T extends string>(table: Readonly<Record<T, unknown>>): T[] {
  return Object.keys(table) as T[];
}

/** The trials of one example: each method with each seed. */
export function plan(
  example: ExampleName,
  methods: readonly string[],
  options: Pick<TrialTableOptions, 'seeds' | 'rounds' | 'set'>,
): PlannedTrial[] {
  const { job, target, entropy, overrides, steps = false }: ExampleTrial = EXAMPLES[example];
  // Seed after seed, so that an interruption leaves every method with as many.
  return seedsUpTo(options.seeds).flatMap((seed) =>
    methods.map((name) => {
      const { algorithm, withSteps, entropyScale = 1, overrides: own = [] } = SETTINGS[name] ?? {};
      return {
        label: name,
        setup: {
          job,
          target,
          overrides: [...EVERYWHERE, ...overrides, ...own, ...addedOverrides(options), seed],
          algorithm: { name, entropy: entropy * entropyScale, ...algorithm, ...(steps && withSteps) },
        },
      };
    }),
  );
}

async function show(
  example: ExampleName,
  trials: readonly FinishedTrial[],
  { document }: Options,
  context: BenchContext,
): Promise<void> {
  const { job, target } = EXAMPLES[example];
  const own = trials.filter(({ setup }) => setup.job === job);
  const rows = rowsOf(own).sort((a, b) => b.heldOut.mean - a.heldOut.mean);
  const table = markdownTable(rows, commonColumns(target, 'method'));
  context.print(`\n${example}\n\n${table}`);
  for (const { label, result } of own) if (result.state !== 'SUCCEEDED') context.print(`${label}: ${result.error}`);
  if (document) await writeBetween(PAGE, `table ${example}`, table);
}
