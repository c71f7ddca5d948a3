import type { Clock } from '../clock/clock.ts';
import { Slices } from '../clock/slices.ts';
import { seedFrom } from '../random/seeded.ts';

/** Options of {@link splitTasks}. */
export interface SplitOptions {
  /** Share of split keys held out, in (0, 1); at least one key on each side where there are two. */
  heldOut: number;
  /**
   * Share of the held-out keys that are the test set, in [0, 1); 0: there is none. At least one key on each side where two are held out; a
   * single one is validation.
   */
  test: number;
  seed: number;
  clock: Clock;
}

/** The three sets of a job's tasks, each in the original order. */
export interface Split<T> {
  train: T[];
  /** Held out: chooses checkpoints. */
  validation: T[];
  /** Held out, and measured once, for the report; may be empty. */
  test: T[];
}

/**
 * Training, validation and test tasks; tasks with equal keys stay together. Keys are ranked by a hash of (seed, key), those that are held
 * out by another one: the order of the tasks does not matter, a task that is added or taken away moves hardly any other, and what is
 * trained on does not depend on `test`. A million tasks take a second, with turns of the event loop in between.
 */
export async function splitTasks<T extends { key: string }>(
  tasks: readonly T[],
  { heldOut: share, test, seed, clock }: SplitOptions,
): Promise<Split<T>> {
  const slices = new Slices(clock);
  const rank = new Map<string, number>();
  for (const { key } of tasks) {
    if (!rank.has(key)) rank.set(key, seedFrom(seed, 'split', key));
    if (slices.due) await slices.turn();
  }
  const isOut = await lowest(rank, countOut(rank.size, share), slices);
  const outRank = new Map<string, number>();
  for (const key of rank.keys()) {
    if (isOut(key)) outRank.set(key, seedFrom(seed, 'test', key));
    if (slices.due) await slices.turn();
  }
  const isTest = await lowest(outRank, test > 0 ? countOut(outRank.size, test) : 0, slices);
  const split: Split<T> = { train: [], validation: [], test: [] };
  for (const task of tasks) {
    split[!isOut(task.key) ? 'train' : isTest(task.key) ? 'test' : 'validation'].push(task);
    if (slices.due) await slices.turn();
  }
  return split;
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
