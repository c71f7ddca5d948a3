import { seedFrom } from '../random/seeded.ts';

/** Options of {@link splitTasks}. */
export interface SplitOptions {
  /** Share of split keys held out, in (0, 1); at least one key on each side where there are two. */
  heldOut: number;
  seed: number;
}

/**
 * Training and held-out tasks, both in their original order; tasks with equal keys stay together. Keys are ranked by a hash
 * of (seed, key): the order of the tasks does not matter, and a task that is added or taken away moves hardly any other.
 */
export function splitTasks<T extends { key: string }>(
  tasks: readonly T[],
  { heldOut: share, seed }: SplitOptions,
): { train: T[]; heldOut: T[] } {
  const keys = [...new Set(tasks.map((task) => task.key))];
  const rank = new Map(keys.map((key) => [key, seedFrom(seed, 'split', key)]));
  keys.sort((a, b) => rank.get(a)! - rank.get(b)! || (a < b ? -1 : 1));
  const count = keys.length < 2 ? 0 : Math.min(keys.length - 1, Math.max(1, Math.round(share * keys.length)));
  const out = new Set(keys.slice(0, count));
  return {
    train: tasks.filter((task) => !out.has(task.key)),
    heldOut: tasks.filter((task) => out.has(task.key)),
  };
}
