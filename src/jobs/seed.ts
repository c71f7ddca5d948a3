import { seededRandom, seedFrom } from '../random/seeded.ts';

/** A permutation of 0 … n − 1 fixed by `seed` (Fisher and Yates). */
export function permutation(n: number, seed: number): Uint32Array {
  const random = seededRandom(seed);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const swap = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = swap;
  }
  return order;
}

/** Epochs whose order is remembered: requests of an earlier one are asked for again after a resume. */
const REMEMBERED = 4;

/**
 * Which task each training request is about: every epoch is a new seeded shuffle of all tasks, so that each task comes
 * exactly once in an epoch. The result maps a sequence to a task index and depends on `tasks` and `seed` only, not on what
 * was asked before: every node and every resume gives the same order.
 */
export function trainingOrder(tasks: number, seed: number): (sequence: number) => number {
  const epochs = new Map<number, Uint32Array>();
  return (sequence) => {
    const epoch = Math.floor(sequence / tasks);
    let order = epochs.get(epoch);
    if (order === undefined) {
      order = permutation(tasks, seedFrom(seed, 'epoch', epoch));
      epochs.set(epoch, order);
      if (epochs.size > REMEMBERED) epochs.delete(epochs.keys().next().value ?? epoch);
    }
    return order[sequence % tasks] ?? 0;
  };
}
