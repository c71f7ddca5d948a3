/**
 * Seeds and orders that depend on nothing but numbers: the same job gives the same requests on every node and after every
 * resume, whatever was drawn before.
 */

/** MurmurHash3's 32-bit finaliser (public domain, Austin Appleby). */
function finalise(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A 32-bit hash of integers (each up to 2^53) and strings, in order. Not for secrets. */
export function hashSeed(...parts: (number | string)[]): number {
  let h = 0x6d2b79f5;
  const mix = (word: number): void => {
    h = finalise((h + 0x9e3779b9) ^ Math.imul(word, 0xcc9e2d51));
  };
  for (const part of parts) {
    if (typeof part === 'number') {
      mix(part >>> 0);
      mix(Math.floor(part / 2 ** 32) >>> 0);
    } else {
      mix(part.length);
      for (let i = 0; i < part.length; i++) mix(part.charCodeAt(i));
    }
  }
  return h >>> 0;
}

/** A permutation of 0 … n − 1 fixed by `seed` (Fisher and Yates). */
export function permutation(n: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((hashSeed(seed, i) / 2 ** 32) * (i + 1));
    const swap = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = swap;
  }
  return order;
}

/**
 * Which task each training request is about: every epoch is a new seeded shuffle of all tasks, so that each task comes once
 * in every `tasks` consecutive requests of an epoch. Call the result with a sequence; it remembers the last few epochs.
 */
export function trainingOrder(tasks: number, seed: number): (sequence: number) => number {
  const epochs = new Map<number, Uint32Array>();
  return (sequence) => {
    const epoch = Math.floor(sequence / tasks);
    let order = epochs.get(epoch);
    if (order === undefined) {
      order = permutation(tasks, hashSeed(seed, 'epoch', epoch));
      epochs.set(epoch, order);
      if (epochs.size > 4) epochs.delete(epochs.keys().next().value ?? 0);
    }
    return order[sequence % tasks] ?? 0;
  };
}
