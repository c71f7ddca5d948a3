import { spawn } from 'node:child_process';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** The same signal again within this time is the same wish: a terminal signals npm and us, and npm forwards it to us. */
const SAME_WISH_MS = 1000;
/** How often to look whether the npm above us still lives. */
const PARENT_MS = 1000;

/**
 * Runs a command with our input and output, and forwards the signals that end us.
 *
 * The command gets a process group of its own. A terminal's Ctrl-C then reaches it through us alone and once, however
 * many processes above us got it too, and the command can end in good order. Pressing it again later sends it again. When
 * npm runs us and is killed without a chance to tell us, the command is asked to end too.
 *
 * @returns the command's exit code; when a signal ended the command, the same signal ends us
 */
export function runInForeground(command, args, { cwd, env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit', detached: process.platform !== 'win32' });
    let forwardedAt = -Infinity;
    const forward = (signal) => {
      const now = performance.now();
      if (now - forwardedAt < SAME_WISH_MS) return;
      forwardedAt = now;
      child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (env.npm_lifecycle_event === undefined || process.ppid === parent) return;
      clearInterval(watch);
      forward('SIGTERM');
    }, PARENT_MS);
    const done = () => {
      clearInterval(watch);
      for (const signal of FORWARDED) process.off(signal, forward);
    };
    child.on('error', (error) => {
      done();
      reject(error);
    });
    child.on('exit', (code, signal) => {
      done();
      if (signal !== null) process.kill(process.pid, signal);
      resolve(code ?? 1);
    });
  });
}
