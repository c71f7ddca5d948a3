import { spawn } from 'node:child_process';

/** Lines of output kept of a quiet command, for when it fails. */
const TAIL_LINES = 25;

/**
 * Runs a command without showing its output and without input.
 *
 * @returns its exit code (127 when it cannot be started, 124 after `timeoutMs`) and the last lines it printed
 */
export function runQuietly(command, args, { cwd, env, timeoutMs }) {
  return new Promise((resolve) => {
    let tail = '';
    let timedOut = false;
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk) => {
      tail = (tail + chunk).split('\n').slice(-TAIL_LINES).join('\n');
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    const stop = (signal) => {
      child.kill(signal);
    };
    // Our own end ends the command; its half-done work is found at the next start.
    const undo = onEndSignals(stop);
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

/** Calls `stop` on the first signal that ends us, then ends us by it once the command is gone; returns how to undo this. */
function onEndSignals(stop) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  let got;
  const onSignal = (signal) => {
    got ??= signal;
    stop(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
    if (got !== undefined) process.kill(process.pid, got);
  };
}
