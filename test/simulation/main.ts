/** `npm run simulate`: runs the whole cluster in simulation, one run for each seed, and says what broke; see docs/simulation.md. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { wholeNumber } from '../../bench/algorithms/options.ts';
import { createProgress } from '../../bench/load/progress.ts';
import { SOMETIMES } from '../../cluster/simulation/invariants/sometimes.ts';
import { MillraceError } from '../../src/errors.ts';
import { currentCommit } from './commit.ts';
import { Farm } from './farm.ts';
import { writeResult } from './result-file.ts';
import { runOneSeed } from './one-seed.ts';
import { progressLine, summaryJson, summaryLines, type SummaryOptions } from './summary.ts';
import { sweep } from './sweep.ts';

/** Seeds of a run that is not bounded by time. */
const SEEDS = 1_000;
/** Between two lines of progress where they cannot be rewritten, in ms. */
const PROGRESS_MS = 20_000;
/** States that many seeds must reach. */
const STATES = Object.keys(SOMETIMES);

interface Options {
  seeds?: number;
  from?: number;
  minutes?: number;
  workers?: number;
  seed?: number;
  onlyFaults?: string;
  json?: string;
  html?: string;
}

/** The command line; `run` gets its options. */
function program(run: (options: Options) => Promise<void>): Command {
  return new Command('simulate')
    .description('Runs the whole cluster in simulation under faults that each seed chooses, and checks its promises.')
    .exitOverride()
    .option('--seeds <n>', `how many seeds (default: ${SEEDS}; with --minutes: as many as there is time for)`, wholeNumber)
    .option('--from <seed>', 'the first seed (default: 1)', wholeNumber)
    .option('--minutes <m>', 'begin no seed after so many minutes', minutes)
    .option('--workers <k>', 'processes that run seeds (default: one for each core)', wholeNumber)
    .option('--seed <seed>', 'run this seed alone and print what happened', wholeNumber)
    .option('--only-faults <file>', 'with --seed: of its faults only those whose ids this file lists (JSON)')
    .option('--html <file>', 'with --seed: also write a page that shows the run to this file')
    .option('--json <file>', 'also write the summary, or with --seed every event, to this file')
    .action(run);
}

function minutes(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

/** Refuses options that mean nothing together. */
function checkOptions(options: Options): void {
  const refuse = (problem: string): never => {
    throw new MillraceError('invalid_argument', `${problem}; see npm run simulate -- --help`);
  };
  const { seed, seeds, from, minutes, workers, onlyFaults, html } = options;
  if (seed === undefined && onlyFaults !== undefined) refuse('--only-faults needs --seed');
  if (seed === undefined && html !== undefined) refuse('--html needs --seed');
  if (seed !== undefined && [seeds, from, minutes, workers].some((given) => given !== undefined))
    refuse('--seed runs one seed: it goes with none of --seeds, --from, --minutes and --workers');
}

async function runSeeds(options: Options, signal: AbortSignal): Promise<number> {
  const { from: first = 1, minutes, workers = availableParallelism(), json } = options;
  const seeds = options.seeds ?? (minutes === undefined ? SEEDS : Infinity);
  const build = process.env['MILLRACE_SIMULATION_BUILD'];
  const farm = new Farm(
    workers,
    build === undefined ? {} : { entry: pathToFileURL(join(build, 'test/simulation/worker-main.js')) },
  );
  const progress = createProgress({ everyMs: PROGRESS_MS });
  const startedAt = performance.now();
  const commit = currentCommit();
  const about: SummaryOptions = { first, workers, commit, states: SOMETIMES };
  try {
    const result = await sweep({
      ...{ first, seeds, minutes, workers, farm, commit, signal },
      onProgress: (tally) => {
        const seconds = (performance.now() - startedAt) / 1000;
        progress.say(progressLine(tally, { seeds, seconds, states: STATES.length }));
      },
      onFailed: (line) => progress.note(line),
      onExplained: ({ text }) => {
        progress.close();
        console.log(text);
      },
    });
    progress.close();
    console.log(summaryLines(result, about).join('\n'));
    const problems = result.tally.problems(STATES);
    for (const problem of problems) console.log(`FAILED: ${problem}`);
    if (json !== undefined) await writeResult('--json', json, `${JSON.stringify(summaryJson(result, about), null, 2)}\n`);
    if (problems.length > 0) return 1;
    console.log(signal.aborted ? 'INTERRUPTED: nothing failed so far' : 'PASSED');
    return signal.aborted ? 130 : 0;
  } finally {
    await farm.close();
  }
}

async function main(args: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  // Whoever reads has seen enough: `npm run simulate | head`.
  process.stdout.on('error', () => process.exit(0));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  let code = 0;
  const run = async (options: Options): Promise<void> => {
    checkOptions(options);
    const { seed, onlyFaults, json, html } = options;
    code =
      seed === undefined
        ? await runSeeds(options, interrupted.signal)
        : await runOneSeed({ seed, onlyFaults, json, html, print: (text) => console.log(text) });
  };
  try {
    await program(run).parseAsync(args, { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode;
    const error = MillraceError.from(thrown);
    console.error(error.code === 'internal' && thrown instanceof Error ? (thrown.stack ?? error.message) : error.message);
    return 1;
  }
  return code;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
