/** Runs seeds of one compiled copy in a process of its own. */
import { fork } from 'node:child_process';
import { workerOf } from './build.js';

/** A seed that takes this long in real time does not end by itself. */
const SEED_MS = 120_000;

/**
 * Runs the seeds from `from` to `to` until one fails.
 *
 * @param job - configuration of the job
 * @returns the first result that failed, if any, and how many seeds were inconclusive
 */
export function firstFailure(copy, { from, to, job }) {
  return new Promise((resolve, reject) => {
    const child = fork(workerOf(copy), [from, to, job], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let [last, failed, hangs, inconclusive, errors] = [from - 1, undefined, false, 0, ''];
    const hang = () => {
      hangs = true;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(hang, SEED_MS);
    child.stderr.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-4000)));
    child.on('message', (result) => {
      clearTimeout(timer);
      timer = setTimeout(hang, SEED_MS);
      last = result.seed;
      if (result.outcome === 'failed') failed = result;
      if (result.outcome === 'inconclusive') inconclusive += 1;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (hangs) failed = { seed: last + 1, invariant: 'process-hangs', reason: `no end after ${SEED_MS / 1000} s` };
      else if (!failed && last < to)
        failed = { seed: last + 1, invariant: 'process-ends', reason: errors || `exit code ${code}` };
      resolve({ failed, inconclusive });
    });
  });
}
