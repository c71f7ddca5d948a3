import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { MillraceError } from '../../src/errors.ts';
import { LineChecker } from '../../src/store/export/import.ts';
import type { CheckedLine, Imported } from '../../src/store/export/import.ts';
import type { CliContext } from './context.ts';
import { fileLines } from './file-lines.ts';
import type { FileLine } from './file-lines.ts';
import { pause } from './pause.ts';
import { StatusLine } from './status-line.ts';
import type { Transfer } from './transfer.ts';

/** How `millrace import` goes about a file. */
export interface ImportOptions {
  /** The job all lines are to belong to. */
  job?: string | undefined;
  /** Imports what is right and leaves the wrong lines in `rejects`. */
  skipInvalid: boolean;
  /** File of the wrong lines. */
  rejects: string;
}

/** Lines and bytes of one call. */
const BATCH_LINES = 1000;
const BATCH_BYTES = 2 * 1024 * 1024;
/** Wrong lines that are told one by one. */
const SHOWN_PROBLEMS = 10;
/** Attempts of one call. */
const ATTEMPTS = 6;

/** What a file holds. */
export interface Checked {
  lines: number;
  rejected: number;
}

/**
 * Reads the whole file once and checks every line. Wrong lines are told on stderr; unless `skipInvalid`, any of them makes it throw
 * `invalid_argument`, so that a file is imported whole or not at all.
 */
export async function checkFile(context: CliContext, path: string, options: ImportOptions): Promise<Checked> {
  const { skipInvalid, rejects } = options;
  const status = new StatusLine(context.stderr);
  const checker = new LineChecker({ job: options.job });
  let lines = 0;
  const wrong: string[] = [];
  let rejected = 0;
  let out: number | undefined;
  try {
    for await (const line of fileLines(path)) {
      lines += 1;
      const problem = problemOf(checker, line);
      if (problem !== undefined) {
        rejected += 1;
        if (wrong.length < SHOWN_PROBLEMS) wrong.push(problem);
        if (skipInvalid) writeSync((out ??= openSync(`${rejects}.new`, 'w')), `${line.text}\n`);
      }
      if (lines % 1000 === 0) status.update(`${lines} lines checked`);
      if (context.signal.aborted) throw new MillraceError('cancelled', 'Interrupted.');
    }
  } finally {
    status.end();
    if (out !== undefined) closeSync(out);
  }
  for (const problem of wrong) context.note(problem);
  if (rejected > wrong.length) context.note(`and ${rejected - wrong.length} more`);
  if (rejected > 0 && !skipInvalid) {
    const what = `${rejected} of ${lines} lines ${rejected === 1 ? 'is' : 'are'} wrong`;
    throw new MillraceError(
      'invalid_argument',
      `${what}; nothing was imported. Mend them, or import the others with --skip-invalid (the wrong ones go to ${rejects}).`,
      { field: path },
    );
  }
  if (out !== undefined) renameSync(`${rejects}.new`, rejects);
  else if (skipInvalid) rmSync(rejects, { force: true });
  return { lines, rejected };
}

/** Sends the lines of a file that {@link checkFile} found right. Doing it again changes nothing. */
export async function importFile(
  context: CliContext,
  transfer: Transfer,
  path: string,
  options: ImportOptions,
): Promise<Imported> {
  const status = new StatusLine(context.stderr);
  const checker = new LineChecker({ job: options.job });
  const total: Imported = { trajectories: 0, steps: 0 };
  let batch: string[] = [];
  let bytes = 0;
  const send = async (): Promise<void> => {
    const { trajectories, steps } = await attempt(context, () => transfer.import(batch, options.job ?? ''));
    total.trajectories += trajectories;
    total.steps += steps;
    batch = [];
    bytes = 0;
    status.update(`${total.trajectories} trajectories with ${total.steps} steps imported`);
  };
  try {
    for await (const line of fileLines(path)) {
      const checked = checkedOf(checker, line);
      if (!checked) continue;
      const size = Buffer.byteLength(checked.text);
      if (batch.length > 0 && (batch.length >= BATCH_LINES || bytes + size > BATCH_BYTES)) await send();
      batch.push(checked.text);
      bytes += size;
      if (context.signal.aborted) throw new MillraceError('cancelled', 'Interrupted.');
    }
    if (batch.length > 0) await send();
  } finally {
    status.end();
  }
  return total;
}

function problemOf(checker: LineChecker, { text, number }: FileLine): string | undefined {
  try {
    checker.check(text, number);
    return undefined;
  } catch (thrown) {
    return MillraceError.from(thrown).message;
  }
}

function checkedOf(checker: LineChecker, { text, number }: FileLine): CheckedLine | undefined {
  try {
    return checker.check(text, number);
  } catch {
    // Told and put aside by checkFile.
    return undefined;
  }
}

/** Rows have natural keys: what may have been written is written again. */
async function attempt<T>(context: CliContext, work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (!error.retryable || tried >= ATTEMPTS || context.signal.aborted) throw error;
      context.note(`the import was interrupted (${error.message.replace(/\.$/, '')}); going on`);
      await pause(200 * 2 ** tried, context.signal);
    }
  }
}
