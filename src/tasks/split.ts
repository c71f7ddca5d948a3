import type { Clock } from '../clock/clock.ts';
import { Slices } from '../clock/slices.ts';
import { seedFrom } from '../random/seeded.ts';

/** Options of {@link splitTasks}. */
export interface SplitOptions {
  /** Share of split keys held out, in (0, 1); at least one key on each side where there are two. */
  heldOut: number;
  seed: number;
  clock: Clock;
}

/**
 * Training and held-out tasks, both in their original order; tasks with equal keys stay together. Keys are ranked by a hash
 * of (seed, key): the order of the tasks does not matter, and a task that is added or taken away moves hardly any other. A million
 * tasks take a second, with turns of the event loop in between.
 */
export async function splitTasks<T extends { key: string }>(
  tasks: readonly T[],
  { heldOut: share, seed, clock }: SplitOptions,
): Promise<{ train: T[]; heldOut: T[] }> {
  const slices = new Slices(clock);
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

/**
 * Whether a key is among the `count` of lowest rank; equal ranks are ordered by key. Ranks are counted by their upper half, so that only
 * the few in one bucket need to be sorted: sorting a million at once would hold the event loop.
 */
async function lowest(rank: ReadonlyMap<string, number>, count: number, slices: Slices): Promise<(key: string) => boolean> {
  if (count === 0) return () => false;
  const buckets = new Uint32Array(2 ** 16);
  for (const of of rank.values()) {
    buckets[of >>> 16]! += 1;
    if (slices.due) await slices.turn();
  }
  let [border, below] = [0, 0];
  while (below + buckets[border]! < count) below += buckets[border++]!;
  const near: string[] = [];
  for (const [key, of] of rank) {
    if (of >>> 16 === border) near.push(key);
    if (slices.due) await slices.turn();
  }
  near.sort((a, b) => rank.get(a)! - rank.get(b)! || (a < b ? -1 : 1));
  const out = new Set(near.slice(0, count - below));
  return (key) => rank.get(key)! >>> 16 < border || out.has(key);
}
