import type { CurriculumConfig } from '../config/job/exploration.ts';
import type { Random } from '../random/random.ts';
import type { Outcomes } from './beta.ts';
import type { ExplorationState } from './state.ts';

/**
 * How likely a group of `groupSize` trajectories of a task is to have a signal, outcomes that differ: E[1 − p^G − (1 − p)^G] with
 * the success probability p from the posterior Beta(a, b), a = prior + good, b = prior + bad. In closed form
 * 1 − Π (a + k)/(a + b + k) − Π (b + k)/(a + b + k), k = 0 … G − 1. It is largest where every second trajectory succeeds, and near 0
 * for a task that always ends alike. A prior below 1 says that most tasks do: after one group that ended alike it expects the
 * next to, and a task never tried comes behind one that was seen to end both ways.
 */
export function signalProbability({ good, bad }: Outcomes, groupSize: number, prior: number): number {
  const a = prior + good;
  const b = prior + bad;
  let [all, none] = [1, 1];
  for (let k = 0; k < groupSize; k++) {
    all *= (a + k) / (a + b + k);
    none *= (b + k) / (a + b + k);
  }
  return Math.max(0, 1 - all - none);
}

const UNTRIED: Outcomes = { good: 0, bad: 0 };

/**
 * Probabilities that the next request is about each task, in the order of `ids`:
 * floor / N + (1 − floor) · signal^sharpness / Σ signal^sharpness, signal being {@link signalProbability}. No task has less than floor / N, so that none is
 * forgotten while the policy moves. They sum to 1.
 */
export function taskProbabilities(
  ids: readonly string[],
  state: Pick<ExplorationState, 'tasks'>,
  { floor, sharpness, prior, groupSize }: Omit<CurriculumConfig, 'enabled' | 'decay'> & { groupSize: number },
): Float64Array {
  const weights = Float64Array.from(
    ids,
    (id) => signalProbability(state.tasks.get(id) ?? UNTRIED, groupSize, prior) ** sharpness,
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0)) return weights.fill(1 / ids.length);
  return weights.map((weight) => floor / ids.length + ((1 - floor) * weight) / total);
}

/**
 * Draws one task by `probabilities` among those not in `taken` (requests under way), or among all when everything is taken.
 * One number of `random` decides.
 */
export function chooseTask(probabilities: ArrayLike<number>, taken: ReadonlySet<number>, random: Random): number {
  const n = probabilities.length;
  let total = 0;
  for (let i = 0; i < n; i++) if (!taken.has(i)) total += probabilities[i]!;
  if (total === 0) return taken.size === 0 ? random.integer(n) : chooseTask(probabilities, new Set(), random);
  let left = random.uniform() * total;
  let last = 0;
  for (let i = 0; i < n; i++) {
    if (taken.has(i)) continue;
    last = i;
    left -= probabilities[i]!;
    if (left < 0) return i;
  }
  // Rounding left a crumb after the last one.
  return last;
}
