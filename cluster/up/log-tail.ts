import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** A log is read from here to its end. */
const TAIL_BYTES = 64 * 1024;
const LONGEST = 300;

/** One line of a log as pino writes it. */
interface Entry {
  time?: unknown;
  level?: string;
  msg?: string;
  err?: { message?: unknown };
}

/**
 * The last lines of a log for people, `11:02:03 error what happened: why`. Empty when there is none.
 *
 * @param count - most lines
 * @param since - older ones are left out; ms since the Unix epoch
 */
export function logTail(path: string, count: number, since = 0): string[] {
  return tailOf(path)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => readable(line, since))
    .slice(-count);
}

function tailOf(path: string): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const read = readSync(file, buffer, 0, buffer.length, size - buffer.length);
    const text = buffer.toString('utf8', 0, read);
    // The first line is only complete at the beginning of the file.
    return size > TAIL_BYTES ? text.slice(text.indexOf('\n') + 1) : text;
  } catch {
    return '';
  } finally {
    closeSync(file);
  }
}

function readable(line: string, since: number): string[] {
  let entry: Entry;
  try {
    entry = JSON.parse(line) as Entry;
  } catch {
    return [shortened(line)];
  }
  const at = Date.parse(String(entry.time));
  if (at < since) return [];
  const time = Number.isNaN(at) ? '' : `${new Date(at).toISOString().slice(11, 19)} `;
  const why = typeof entry.err?.message === 'string' ? `: ${entry.err.message}` : '';
  return [shortened(`${time}${entry.level ?? ''} ${entry.msg ?? ''}${why}`)];
}

function shortened(line: string): string {
  const [first = ''] = line.split('\n');
  return first.length > LONGEST ? `${first.slice(0, LONGEST)} …` : first;
}
