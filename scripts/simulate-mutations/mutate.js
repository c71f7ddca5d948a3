import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildMutated } from './build.js';
import { firstFailure } from './run.js';

/**
 * Looks for the first seed at which a mutation is noticed: one that fails with it and does not fail without it.
 *
 * @param seeds - how many are tried
 * @returns what is known of it; `seed` is missing when none noticed it, `problem` says why it does not apply
 */
export async function tryMutation(mutation, { root, folder, unmutated, mutated, seeds, job }) {
  const { name, breaks } = mutation;
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  const copy = join(folder, name);
  try {
    await buildMutated(root, { unmutated, mutated, out: copy }, mutation);
    const alsoWithout = [];
    for (let from = 1; from <= seeds; from = alsoWithout.at(-1) + 1) {
      const { failed, inconclusive } = await firstFailure(copy, { from, to: seeds, job });
      if (failed === undefined) return { name, breaks, alsoWithout, inconclusive, seconds: seconds() };
      const { seed, invariant, reason } = failed;
      if ((await firstFailure(unmutated, { from: seed, to: seed, job })).failed === undefined)
        return { name, breaks, seed, invariant, reason, alsoWithout, seconds: seconds() };
      alsoWithout.push(seed);
    }
    return { name, breaks, alsoWithout, seconds: seconds() };
  } catch (error) {
    return { name, breaks, problem: error.message, seconds: seconds() };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
