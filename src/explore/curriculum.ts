import type { CurriculumConfig } from '../config/job/exploration.ts';
import type { Random } from '../random/random.ts';
import type { Outcomes } from './beta.ts';
import type { ExplorationState } from './state.ts';

/**
 * How much there is to learn from a task, 0 to 1: four times the expected variance of its outcome, E[4p(1 − p)] with p from the
 * posterior Beta(a, b), a = 1 + good, b = 1 + bad. In closed form 4ab / ((a + b)(a + b + 1)). It is largest where every second
 * trajectory succeeds, 2/3 for a task never tried, and near 0 for one that always ends alike.
 */
export function uncertainty({ good, bad }: Outcomes): number {
  const a = 1 + good;
  const b = 1 + bad;
  return (4 * a * b) / ((a + b) * (a + b + 1));
}

const UNTRIED: Outcomes = { good: 0, bad: 0 };

/**
 * Probabilities that the next request is about each task, in the order of `ids`:
 * floor / N + (1 − floor) · uncertainty^sharpness / Σ uncertainty^sharpness. No task has less than floor / N, so that none is
 * forgotten while the policy moves. They sum to 1.
 */
export function taskProbabilities(
  ids: readonly string[],
  state: Pick<ExplorationState, 'tasks'>,
  { floor, sharpness }: Pick<CurriculumConfig, 'floor' | 'sharpness'>,
): Float64Array {
  const weights = Float64Array.from(ids, (id) => uncertainty(state.tasks.get(id) ?? UNTRIED) ** sharpness);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
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
