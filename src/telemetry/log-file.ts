import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DestinationStream } from 'pino';

/** After a failure the file is tried again at most this often: every line would cost two failing system calls. */
const RETRY_MS = 1_000;

/** Options of {@link logFile}. */
export interface LogFileOptions {
  /** Milliseconds since any moment. Default: the system's monotonic clock. */
  readonly now?: () => number;
}

/**
 * Appends lines to a file at once, or to an open descriptor, and never throws: a process does its work also where its log cannot be
 * written (a full disk, a folder that is gone). Lines that could not be written are counted, and the first line that can be written
 * again is preceded by one that says how many are missing and why.
 */
export function logFile(target: string | number, { now = () => performance.now() }: LogFileOptions = {}): DestinationStream {
  let fd: number | undefined = typeof target === 'number' ? target : undefined;
  let lost = 0;
  let reason = '';
  /** The last write ended within a line. */
  let torn = false;
  let retryAt = -Infinity;

  const writeAll = (text: string): void => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) {
      at += writeSync(fd!, bytes, at);
      torn = at < bytes.length;
    }
  };
  const open = (path: string): number => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openSync(path, 'a', 0o600);
  };
  /** The file may be gone with its folder: it is opened again. */
  const close = (): void => {
    if (typeof target === 'number' || fd === undefined) return;
    try {
      closeSync(fd);
    } catch {
      // It is not ours any more.
    }
    fd = undefined;
  };

  const write = (line: string): void => {
    if (lost > 0 && now() < retryAt) {
      lost += 1;
      return;
    }
    try {
      fd ??= open(target as string);
      if (lost > 0) {
        const missing = { level: 'warn', time: new Date().toISOString(), pid: process.pid, lost };
        writeAll(
          `${torn ? '\n' : ''}${JSON.stringify({ ...missing, msg: `${lost} lines before this one could not be written: ${reason}` })}\n`,
        );
        lost = 0;
      }
      writeAll(line);
    } catch (error) {
      close();
      lost += 1;
      reason = (error as Error).message;
      retryAt = now() + RETRY_MS;
    }
  };
  return { write };
}
