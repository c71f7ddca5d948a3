import { readFile } from 'node:fs/promises';
import { simulate } from '../../cluster/simulation/run.ts';
import { formatTrace } from '../../cluster/simulation/trace.ts';
import { renderTrace } from '../../cluster/simulation/viewer/render.ts';
import { MillraceError } from '../../src/errors.ts';
import { currentCommit, replayCommand } from './commit.ts';
import { simulatedJobs } from './job.ts';
import { writeResult } from './result-file.ts';
import { traceOfRun } from './trace-of-run.ts';

/** Options of {@link runOneSeed}. */
export interface OneSeedOptions {
  seed: number;
  /** File with the ids of the faults that may strike, a JSON list. Default: all may. */
  onlyFaults?: string | undefined;
  /** File for the run as JSON, with every event. */
  json?: string | undefined;
  /** File for a page that shows the run. */
  html?: string | undefined;
  print: (text: string) => void;
}

/** Runs one seed in this process and prints what happened; returns the exit code. */
export async function runOneSeed({ seed, onlyFaults, json, html, print }: OneSeedOptions): Promise<number> {
  const only = onlyFaults === undefined ? undefined : await readFaults(onlyFaults);
  const jobs = await simulatedJobs();
  const result = await simulate(seed, { ...jobs, ...(only && { only }), trace: true });
  const commit = currentCommit();
  const command = replayCommand(commit, seed, onlyFaults);
  const run = traceOfRun(result, { commit: commit.id, command });
  print(formatTrace(run));
  print(`${result.events} events in ${result.seconds.toFixed(1)} virtual seconds, hash ${result.hash}`);
  if (json !== undefined) await writeResult('--json', json, `${JSON.stringify(run)}\n`);
  if (html !== undefined) await writeResult('--html', html, renderTrace(run));
  return result.outcome === 'passed' ? 0 : 1;
}

async function readFaults(file: string): Promise<ReadonlySet<string>> {
  const refuse = (problem: string): MillraceError =>
    new MillraceError('invalid_argument', `--only-faults: ${file} ${problem}; it holds a JSON list of ids of faults`);
  const text = await readFile(file, 'utf8').catch((thrown: NodeJS.ErrnoException) => {
    throw refuse(`cannot be read (${thrown.code})`);
  });
  let ids: unknown;
  try {
    ids = JSON.parse(text);
  } catch {
    throw refuse('is not JSON');
  }
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string')) throw refuse('is no list of texts');
  return new Set(ids);
}
