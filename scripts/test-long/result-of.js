import { execFile } from 'node:child_process';

const TIMEOUT_MS = 60_000;

/** Runs a command to its end, within a minute; resolves with its exit code and, for one that failed, the first line of what it said. */
export function resultOf(command, args, { cwd }) {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, problem: undefined });
      const line = stderr.split('\n').find((each) => each.trim() !== '');
      resolve({ code: typeof error.code === 'number' ? error.code : 1, problem: line ?? error.message.split('\n')[0] });
    });
  });
}
