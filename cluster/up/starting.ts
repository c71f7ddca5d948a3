import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../src/clock/clock.ts';

/** What a cluster that is starting leaves in its state folder for the command line. */
export interface Starting {
  /** Process that starts it. */
  pid: number;
  /** When it began, ms since the Unix epoch. */
  since: number;
  /** What is not there yet, each with what it does: `store (opening the database)`. */
  waitsFor: string[];
}

const LOOK_MS = 500;
/** How often the terminal is told what a slow start waits for. */
const TELL_MS = 10_000;

function startingPath(stateDir: string): string {
  return join(stateDir, 'starting.json');
}

/** Options of {@link reportStart}. */
export interface StartReportOptions {
  stateDir: string;
  clock: Clock;
  /** What the start waits for right now. */
  waitsFor: () => string[];
  /** Told every 10 s what that is. */
  tell: (text: string) => void;
}

/**
 * Keeps the file of a start up to date, and tells the terminal what a start that takes long waits for. Only for whoever holds the lock of the
 * state folder. Returns what to call when the start is over: it removes the file.
 */
export function reportStart({ stateDir, clock, waitsFor, tell }: StartReportOptions): () => void {
  const path = startingPath(stateDir);
  const since = clock.now();
  let written = '';
  let toldAt = since;
  const look = (): void => {
    const now = clock.now();
    const waiting = waitsFor();
    const text = JSON.stringify({ pid: process.pid, since, waitsFor: waiting } satisfies Starting);
    if (text !== written) write(path, text);
    written = text;
    if (now - toldAt < TELL_MS) return;
    toldAt = now;
    tell(`still starting after ${Math.round((now - since) / 1000)} s: waiting for ${waiting.join(', ')}`);
  };
  look();
  const stop = clock.every(LOOK_MS, look);
  return () => {
    stop();
    rmSync(path, { force: true });
  };
}

/** On a full disk the start still goes on; only others do not learn of it. */
function write(path: string, text: string): void {
  try {
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch {
    rmSync(`${path}.new`, { force: true });
  }
}

/** The start that is under way in a state folder; undefined when there is none, also when the process that began it is gone. */
export function readStarting(stateDir: string): Starting | undefined {
  try {
    const { pid, since, waitsFor } = JSON.parse(readFileSync(startingPath(stateDir), 'utf8')) as Partial<Starting>;
    if (typeof pid !== 'number' || typeof since !== 'number' || !Array.isArray(waitsFor)) return undefined;
    process.kill(pid, 0);
    return { pid, since, waitsFor: waitsFor.map(String) };
  } catch {
    return undefined;
  }
}
