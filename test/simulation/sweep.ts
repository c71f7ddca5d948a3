import { replayCommand, type Commit } from './commit.ts';
import { DETERMINISTIC, explainFailure, type FailureReport } from './failure.ts';
import type { Farm, SeedResult } from './farm.ts';
import { Tally } from './tally.ts';

/** One seed in so many runs twice and must give the same events. */
const TWICE_EVERY = 50;
/** Failures that are shrunk at most; others are only named. */
const MOST_EXPLAINED = 10;

/** Which seeds are run, and for how long. */
export interface SweepOptions {
  first: number;
  /** How many; may be Infinity where `minutes` ends it. */
  seeds: number;
  minutes?: number | undefined;
  /** Seeds at a time: as many as `farm` has workers. */
  workers: number;
  farm: Pick<Farm, 'run'>;
  commit: Commit;
  signal: AbortSignal;
  /** After each seed. */
  onProgress: (tally: Tally) => void;
  /** A seed has failed: in one line. */
  onFailed: (line: string) => void;
  /** A failure was shrunk. */
  onExplained: (report: FailureReport) => void;
}

/** What many seeds came to. */
export interface Sweep {
  tally: Tally;
  reports: FailureReport[];
  /** Real time, in seconds. */
  tookSeconds: number;
}

/** Runs seeds until all are done, the time is over, or it is interrupted; shrinks one failure of each sort meanwhile. */
export async function sweep(options: SweepOptions): Promise<Sweep> {
  const { farm, first, seeds, minutes = Infinity, workers, commit, signal, onProgress, onFailed, onExplained } = options;
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  const tally = new Tally();
  const reports: FailureReport[] = [];
  const explained = new Set<string>();
  let next = first;
  const interrupted = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)));
  const lane = async (): Promise<void> => {
    while (!signal.aborted && next < first + seeds && seconds() < minutes * 60) {
      const seed = next;
      next += 1;
      const result = await Promise.race([runOf(seed, farm), interrupted]);
      if (result === undefined) return;
      tally.add(result);
      onProgress(tally);
      if (result.outcome !== 'failed') continue;
      onFailed(`seed ${seed}: ${result.invariant}: ${result.reason}\n  ${replayCommand(commit, seed)}`);
      const sort = sortOf(result);
      if (explained.has(sort) || explained.size >= MOST_EXPLAINED) continue;
      explained.add(sort);
      const report = await Promise.race([explainFailure(result, { farm, commit, signal }), interrupted]);
      if (report === undefined) return;
      reports.push(report);
      onExplained(report);
    }
  };
  await Promise.all(Array.from({ length: workers }, lane));
  return { tally, reports, tookSeconds: seconds() };
}

/** One run; of some seeds a second one, which must be the same. */
async function runOf(seed: number, farm: Pick<Farm, 'run'>): Promise<SeedResult> {
  const result = await farm.run({ seed });
  if (seed % TWICE_EVERY !== 0 || result.outcome === 'failed') return result;
  const again = await farm.run({ seed });
  if (again.hash === result.hash && again.outcome === result.outcome) return result;
  const reason = `a second run had hash ${again.hash} (${again.outcome}), the first ${result.hash} (${result.outcome})`;
  return { ...result, outcome: 'failed', invariant: DETERMINISTIC, reason };
}

/** Failures that differ in numbers only are of one sort. */
function sortOf({ invariant = '', reason = '' }: SeedResult): string {
  return `${invariant} ${reason.replaceAll(/\d+/g, '#')}`;
}
