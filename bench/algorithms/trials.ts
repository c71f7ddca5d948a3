import { readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { MillraceError } from '../../src/errors.ts';
import type { BenchContext } from '../scenario.ts';
import { runChild } from '../train/child.ts';
import type { TrialResult, TrialSetup } from './trial.ts';

/** A trial of a table: which row it belongs to, and what it runs. */
export interface PlannedTrial {
  label: string;
  setup: TrialSetup;
}

/** A trial that has ended. */
export interface FinishedTrial extends PlannedTrial {
  result: TrialResult;
}

/** Options of {@link runTrials}. */
export interface TrialsOptions {
  /** Processes at a time. */
  parallel: number;
  /** Written after each trial, so that an interruption loses at most those in progress. */
  json?: string | undefined;
  /** Take trials of the same setup from the JSON file in place of running them again. */
  keep?: boolean | undefined;
}

const ENTRY = fileURLToPath(new URL('trial-main.ts', import.meta.url));

/**
 * Runs every trial in a process of its own, `parallel` at a time, and returns them in the order they were given. One that
 * fails is a result with its error, not the end of the others; `cancelled` after an interrupt.
 */
export async function runTrials(
  planned: readonly PlannedTrial[],
  options: TrialsOptions,
  context: BenchContext,
): Promise<FinishedTrial[]> {
  const { parallel, json, keep } = options;
  const kept = keep && json !== undefined ? await readTrials(json) : [];
  const finished: (FinishedTrial | undefined)[] = planned.map(({ label, setup }) => {
    const before = kept.find((trial) => sameSetup(trial.setup, setup) && trial.result.state === 'SUCCEEDED');
    return before && { label, setup, result: before.result };
  });
  const waiting = planned.map((_, index) => index).filter((index) => finished[index] === undefined);
  let saving: Promise<void> = Promise.resolve();
  const work = async (): Promise<void> => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      const trial = planned[index]!;
      const result = await inProcess(trial.setup, context.signal);
      finished[index] = { ...trial, result };
      const done = finished.filter((one) => one !== undefined);
      context.note(progressLine(trial, result, done.length, planned.length));
      if (json !== undefined) saving = saving.then(() => writeTrials(json, done));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, parallel) }, work));
  await saving;
  return finished.filter((trial) => trial !== undefined);
}

async function inProcess(setup: TrialSetup, signal: AbortSignal): Promise<TrialResult> {
  let line = '';
  const args = [...process.execArgv, ENTRY, JSON.stringify(setup)];
  try {
    await runChild(process.execPath, args, { env: process.env, signal, onLine: (text) => (line = text) });
    return JSON.parse(line) as TrialResult;
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    return failedTrial(setup, MillraceError.from(thrown).message);
  }
}

function failedTrial(setup: TrialSetup, error: string): TrialResult {
  return {
    setup,
    state: 'FAILED',
    error,
    heldOut: 0,
    toTarget: null,
    tested: null,
    curve: [],
    trajectories: 0,
    seconds: 0,
    cpuSeconds: 0,
    peakMiB: 0,
    staleness: { mean: 0, max: 0 },
    ledger: { trained: 0, filtered: 0, expired: 0, failed: 0 },
    metrics: {},
  };
}

/** Trials of an earlier run; none when there is no such file. */
async function readTrials(file: string): Promise<FinishedTrial[]> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? [] : (JSON.parse(text) as { trials: FinishedTrial[] }).trials;
}

async function writeTrials(file: string, trials: readonly FinishedTrial[]): Promise<void> {
  await writeFile(`${file}.part`, `${JSON.stringify({ trials }, null, 1)}\n`);
  await rename(`${file}.part`, file);
}

function sameSetup(a: TrialSetup, b: TrialSetup): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function progressLine({ label, setup }: PlannedTrial, result: TrialResult, done: number, of: number): string {
  const seed = setup.overrides.find((override) => override.startsWith('seed=')) ?? '';
  const outcome =
    result.state === 'SUCCEEDED'
      ? `${(100 * result.heldOut).toFixed(1)} % held out, ${result.seconds.toFixed(0)} s`
      : `${result.state}: ${result.error}`;
  return `${done}/${of} ${label} ${seed}: ${outcome}`;
}
