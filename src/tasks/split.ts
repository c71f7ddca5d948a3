import { Slices } from '../clock/slices.ts';
import { seedFrom } from '../random/seeded.ts';

/** Options of {@link splitTasks}. */
export interface SplitOptions {
  /** Share of split keys held out, in (0, 1); at least one key on each side where there are two. */
  heldOut: number;
  seed: number;
}

/**
 * Training and held-out tasks, both in their original order; tasks with equal keys stay together. Keys are ranked by a hash
 * of (seed, key): the order of the tasks does not matter, and a task that is added or taken away moves hardly any other. A million
 * tasks take a second, with turns of the event loop in between.
 */
export async function splitTasks<T extends { key: string }>(
  tasks: readonly T[],
  { heldOut: share, seed }: SplitOptions,
): Promise<{ train: T[]; heldOut: T[] }> {
  const slices = new Slices();
  const rank = new Map<string, number>();
  for (const { key } of tasks) {
    if (!rank.has(key)) rank.set(key, seedFrom(seed, 'split', key));
    if (slices.due) await slices.turn();
  }
  const isOut = await lowest(rank, countOut(rank.size, share), slices);
  const sides: { train: T[]; heldOut: T[] } = { train: [], heldOut: [] };
  for (const task of tasks) {
    (isOut(task.key) ? sides.heldOut : sides.train).push(task);
    if (slices.due) await slices.turn();
  }
  return sides;
}

function countOut(keys: number, share: number): number {
  return keys < 2 ? 0 : Math.min(keys - 1, Math.max(1, Math.round(share * keys)));
}

/** Whether a key is among the `count` of lowest rank; equal ranks are ordered by key. Numbers alone are sorted, which is fast. */
async function lowest(rank: ReadonlyMap<string, number>, count: number, slices: Slices): Promise<(key: string) => boolean> {
  if (count === 0) return () => false;
  const ranks = Float64Array.from(rank.values()).sort();
  await slices.turn();
  const last = ranks[count - 1]!;
  const below = ranks.indexOf(last);
  const ties: string[] = [];
  for (const [key, of] of rank) {
    if (of === last) ties.push(key);
    if (slices.due) await slices.turn();
  }
  const tied = new Set(ties.sort((a, b) => (a < b ? -1 : 1)).slice(0, count - below));
  return (key) => rank.get(key)! < last || tied.has(key);
}
