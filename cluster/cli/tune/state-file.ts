import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { JobConfig } from '../../../src/config/job.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { SearchPlan, Trial } from '../../../src/tune/search.ts';
import type { Values } from '../../../src/tune/space.ts';

/** The trial under way. It is written down before its job is made, so that no job is left behind unknown. */
export interface CurrentTrial {
  number: number;
  /** Id of its job. */
  job: string;
  values: Values;
}

/** What a search remembers between two starts. */
export interface SearchState {
  format: 1;
  /** Part of the ids of its jobs. */
  id: string;
  plan: SearchPlan;
  job: JobConfig;
  trials: Trial[];
  current?: CurrentTrial;
}

/** File of a search: one for each tune file and job name of a state folder. */
export function statePath(stateDir: string, tuneFile: string, jobName: string): string {
  return join(stateDir, 'tune', `${jobName}-${basename(tuneFile, extname(tuneFile))}.json`);
}

/** What was written last; undefined when there is nothing. */
export async function readState(path: string): Promise<SearchState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw MillraceError.from(cause, 'failed_precondition');
  }
  try {
    const state = JSON.parse(text) as Omit<SearchState, 'format'> & { format: number };
    if (state.format === 1 && Array.isArray(state.trials)) return { ...state, format: 1 };
    if (typeof state.format === 'number' && state.format > 1) {
      const versions = `format ${state.format}; this version reads 1`;
      throw new MillraceError('failed_precondition', `A newer version of Millrace wrote ${path} (${versions}): upgrade.`);
    }
  } catch (thrown) {
    if (thrown instanceof MillraceError) throw thrown;
    // Told below.
  }
  throw new MillraceError('data_loss', `${path} holds no search that this version can read; start one without --resume.`);
}

/** Writes the state so that a reader sees the one before or this one, never a part. */
export async function writeState(path: string, state: SearchState): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.draft`;
  await writeFile(draft, `${JSON.stringify(state, null, 2)}\n`);
  await rename(draft, path);
}

/** Keeps the file of an earlier search under another name, which is returned; undefined when there is none. */
export async function setAside(path: string): Promise<string | undefined> {
  const kept = path.replace(/\.json$/, '.before.json');
  try {
    await rename(path, kept);
    return kept;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw MillraceError.from(cause, 'failed_precondition');
  }
}

/** Checks that a search may go on: more or fewer trials are fine, other figures would not be comparable. */
export function checkUnchanged(state: SearchState, plan: SearchPlan, job: JobConfig): void {
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  const changed = [
    ...(['objective', 'seed', 'halving'] as const).filter((key) => !same(state.plan[key], plan[key])),
    ...(same(state.plan.space, plan.space) ? [] : ['parameters']),
    ...(same(state.job, job) ? [] : ['the job']),
  ];
  if (changed.length === 0) return;
  throw new MillraceError(
    'failed_precondition',
    `The search cannot go on, since this has changed: ${changed.join(', ')}. Put it back, or start anew without --resume.`,
  );
}
