import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MillraceError } from '../errors.ts';

const EXPLAIN_MS = 30_000;

/** Why the embedded engine could not be opened on a folder, and what to do. */
export function openError(error: unknown, path: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const { message, code } = error as Error & { code?: string };
  const options = { cause: error };
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM' || code === 'ENOTDIR' || code === 'EEXIST') {
    const text = `the trajectory store cannot write to ${path} (${message}); use another folder`;
    return new MillraceError('permission_denied', text, options);
  }
  if (/Failed to create connection|Cannot lock file/.test(message)) return refused(engineMessage(path) ?? message, path, options);
  if (/Cannot find module|libchdb|shared object|platform/i.test(message)) {
    return new MillraceError(
      'unavailable',
      `the embedded ClickHouse could not be loaded (${message.split('\n')[0]}); run npm install again (it is left out with --omit=optional), or set CLICKHOUSE_URL to use a server`,
      { ...options, retryable: false },
    );
  }
  return new MillraceError('internal', `cannot open the trajectory store in ${path}: ${message}`, options);
}

/** The engine started and gave up. */
function refused(said: string, path: string, options: { cause: unknown }): MillraceError {
  const holder = lockHolder(path);
  // Without a word of the engine's own a lock is the likeliest reason.
  if (/Cannot lock file|Failed to create connection/.test(said)) {
    const who = holder === undefined ? 'another process seems to have' : `process ${holder} has`;
    const advice = 'stop it, use another folder, or set CLICKHOUSE_URL to share a server';
    return new MillraceError('failed_precondition', `${who} the trajectory store in ${path} open; ${advice}`, options);
  }
  if (/No space left on device|Not enough space|\(NOT_ENOUGH_SPACE\)/i.test(said)) {
    return new MillraceError('unavailable', `the disk of ${path} is full: ${said}`, options);
  }
  const file = /(?:metadata file|from file|in file) ([^\s:)]+)/.exec(said)?.[1];
  const what =
    file === undefined ? `the trajectory store in ${path} is damaged` : `the metadata file ${join(path, file)} is damaged`;
  const advice = 'restore it from a backup, or move the folder away to begin with an empty store';
  return new MillraceError('data_loss', `${what}: ${said}; ${advice}`, options);
}

/**
 * What the engine says when it does not open the folder. It tells its caller only that it failed, and writes the reason to the
 * standard error of its process: so another process tries as well. Undefined when that one opens it.
 */
function engineMessage(path: string): string | undefined {
  const chdb = createRequire(import.meta.url).resolve('chdb');
  const script = 'const { Session } = require(process.argv[1]); new Session(process.argv[2]).close();';
  try {
    execFileSync(process.execPath, ['-e', script, chdb, path], {
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: EXPLAIN_MS,
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    return undefined;
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    const line = stderr.split('\n').find((text) => text.includes('DB::Exception'));
    return line && tidy(line);
  }
}

/** Without the engine's list of what it expected, which is longer than the rest. */
const tidy = (line: string): string =>
  line
    .replace(/^.*?DB::Exception: /, '')
    .replace(/\. Expected one of: .*?(?=: (?:Cannot parse|while)|$)/, '')
    .replace(/\.?\s*\([A-Z_]+\)\s*(?:\(version [^)]*\))?\s*$/, '')
    .slice(0, 600);

/** The living process that the engine's status file names. */
function lockHolder(path: string): number | undefined {
  try {
    const pid = Number(/PID: (\d+)/.exec(readFileSync(join(path, 'status'), 'utf8'))?.[1]);
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}
