import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { candidatesAt, placeOf } from './candidates.ts';

/** How long the cluster is waited for, and how many of its newest jobs are offered. */
const TIMEOUT_MS = 1000;
const MOST_JOBS = 200;

/** Prints, one a line, the words that may stand in place of the last one. Says nothing of what goes wrong: a shell asks at each key. */
export async function answerCompletion(program: Command, words: readonly string[], context: CliContext): Promise<void> {
  try {
    const found = await candidatesAt(placeOf(program, words), program, () => jobIds(context));
    context.stdout.write(found.map((word) => `${word}\n`).join(''));
  } catch {
    // Nothing to offer.
  }
}

/** None without a cluster. */
async function jobIds(context: CliContext): Promise<string[]> {
  const request = { pageSize: MOST_JOBS, readMask: { paths: ['id'] } };
  const { jobs } = await context.withAdmin((admin) => admin.listJobs(request, { timeoutMs: TIMEOUT_MS }));
  return jobs.map(({ id }) => id);
}
