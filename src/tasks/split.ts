import { seedFrom } from '../random/seeded.ts';

/** Options of {@link splitTasks}. */
export interface SplitOptions<T> {
  /** Share of split keys held out, in (0, 1); at least one key on each side where there are two. */
  heldOut: number;
  seed: number;
  /** Tasks with equal keys stay together. Default: the task's own `key`. */
  key?: (task: T) => string;
}

/**
 * Training and held-out tasks, both in their original order. Keys are ranked by a hash of (seed, key): the order of the tasks
 * does not matter, and a task that is added or taken away moves hardly any other.
 */
export function splitTasks<T extends { key?: string }>(
  tasks: readonly T[],
  options: SplitOptions<T>,
): { train: T[]; heldOut: T[] } {
  const { heldOut: share, seed, key = (task) => task.key ?? '' } = options;
  const keys = [...new Set(tasks.map(key))];
  const rank = new Map(keys.map((k) => [k, seedFrom(seed, 'split', k)]));
  keys.sort((a, b) => rank.get(a)! - rank.get(b)! || (a < b ? -1 : 1));
  const count = keys.length < 2 ? 0 : Math.min(keys.length - 1, Math.max(1, Math.round(share * keys.length)));
  const out = new Set(keys.slice(0, count));
  return {
    train: tasks.filter((task) => !out.has(key(task))),
    heldOut: tasks.filter((task) => out.has(key(task))),
  };
}
