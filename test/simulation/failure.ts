import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shrink, type Shrunk } from '../../cluster/simulation/shrink.ts';
import { formatTrace } from '../../cluster/simulation/trace.ts';
import { replayCommand, type Commit } from './commit.ts';
import { explainDifference } from './difference.ts';
import type { Farm, SeedResult } from './farm.ts';
import { traceOfRun } from './trace-of-run.ts';

/** Invariant of a seed that gave different events when it ran again. */
export const DETERMINISTIC = 'deterministic';

/** Runs and real time that shrinking a failure may take. */
const MAX_RUNS = 300;
const MAX_MS = 120_000;

/** A failing seed, told to somebody who wants to see it again. */
export interface FailureReport {
  seed: number;
  invariant: string;
  reason: string;
  /** Runs it again exactly. */
  command: string;
  /** Ids of the faults that struck. */
  struck: readonly string[];
  /** What shrinking found; absent where the failure does not depend on faults alone. */
  shrunk?: Shrunk & { command: string };
  /** All of this in words, with a trace. */
  text: string;
}

/** What {@link explainFailure} works with. */
export interface ExplainOptions {
  farm: Pick<Farm, 'run'>;
  commit: Commit;
  signal: AbortSignal;
}

/** Shrinks the faults of a failing seed and says everything about it. */
export async function explainFailure(result: SeedResult, { farm, commit, signal }: ExplainOptions): Promise<FailureReport> {
  const { seed, invariant = 'unknown', reason = 'no reason given', struck } = result;
  const report = { seed, invariant, reason, struck, command: replayCommand(commit, seed) };
  const head = [
    `SEED ${seed} FAILED: ${invariant}: ${reason}`,
    `  run it again  ${report.command}`,
    ...(commit.hasLocalChanges ? ['                The working tree has local changes: the commit alone may not show it.'] : []),
  ];
  const told = (...more: string[]): string => [...head, ...more, ''].join('\n');
  if (invariant === DETERMINISTIC) return { ...report, text: told(`  it differs at ${await explainDifference(seed)}`) };
  const end = performance.now() + MAX_MS;
  const shrunk = await shrink({
    struck,
    invariant,
    run: (only) => farm.run({ seed, only: [...only] }),
    maxRuns: MAX_RUNS,
    stop: () => signal.aborted || performance.now() > end,
  });
  if (!shrunk.reproduced) {
    const why = shrunk.runs === 0 ? 'not shrunk' : `it did not break again with the same ${struck.length} faults`;
    return { ...report, text: told(`  faults        ${why}`) };
  }
  const { faults, runs, minimal } = shrunk;
  const command = replayCommand(commit, seed, await writeFaults(seed, faults));
  const last = await farm.run({ seed, only: faults, trace: true });
  const run = traceOfRun(last, { commit: commit.id, command });
  const text = told(
    `  fewest faults ${command}`,
    `  shrunk from   ${struck.length} faults to ${faults.length} in ${runs} runs${minimal ? '' : '; fewer may do'}`,
    '',
    formatTrace(run),
  );
  return { ...report, shrunk: { ...shrunk, command }, text };
}

/** Writes ids of faults to a file for --only-faults; returns its path. */
async function writeFaults(seed: number, faults: readonly string[]): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'millrace-simulation-')), `faults-of-seed-${seed}.json`);
  await writeFile(file, `${JSON.stringify(faults, null, 2)}\n`);
  return file;
}
