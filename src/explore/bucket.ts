/** Steps that a feature in 0 to 1 is told apart in. */
const LEVELS = 4;

/**
 * State bucket of a decision, 0 to `buckets` − 1: what exploration takes for the same situation.
 *
 * A number that a flow gives is taken as it is (rounded down, modulo `buckets`), a text is hashed, and state features are
 * rounded to quarters and hashed. Different states may fall into one bucket; equal ones always do, in every process.
 */
export function bucketOf(state: string | number | readonly number[], buckets: number): number {
  if (typeof state === 'number') return ((Math.floor(state) % buckets) + buckets) % buckets;
  let hash = 0x811c9dc5;
  const take = (word: number): void => {
    for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((word >>> shift) & 0xff), 0x01000193);
  };
  if (typeof state === 'string') for (let i = 0; i < state.length; i++) take(state.charCodeAt(i));
  else for (const value of state) take(quantised(value));
  // FNV-1a leaves the low bits of short inputs alike: MurmurHash3's finaliser spreads them.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % buckets;
}

function quantised(value: number): number {
  return Math.max(-0x7fffffff, Math.min(0x7fffffff, Math.round(value * LEVELS)));
}
