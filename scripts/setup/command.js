import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Lines of output kept of a quiet command, for when it fails. */
const TAIL_LINES = 25;

/**
 * Runs a command without showing its output and without input.
 *
 * @param onStart - gets the process's id
 * @returns its exit code (127 when it cannot be started, 124 after `timeoutMs`) and the last lines it printed
 */
export function runQuietly(command, args, { cwd, env, timeoutMs, onStart }) {
  return new Promise((resolve) => {
    let tail = '';
    let timedOut = false;
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    if (child.pid !== undefined) onStart?.(child.pid);
    const keep = (chunk) => {
      tail = (tail + chunk).split('\n').slice(-TAIL_LINES).join('\n');
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    // Our own end ends the command; its half-done work is found at the next start.
    const undo = onEndSignals((signal) => child.kill(signal));
    const finish = (code) => {
      clearTimeout(timer);
      undo();
      resolve({ code, tail: tail.trim() });
    };
    child.on('error', (error) => {
      tail = error.message;
      finish(127);
    });
    child.on('close', (code, signal) => finish(timedOut ? 124 : (code ?? (signal === null ? 1 : 130))));
  });
}

/** Calls `stop` on the signals that end us, and ends us once the command is gone; returns what to call then. */
function onEndSignals(stop) {
  let got;
  const onSignal = (signal) => {
    got ??= signal;
    stop(signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal);
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, onSignal);
    // Not by the signal itself: what is to be done at our exit would not be done.
    if (got !== undefined) process.exit(128 + constants.signals[got]);
  };
}
