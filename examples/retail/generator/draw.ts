import type { Random } from 'millrace';

/** One of a list that is not empty. */
export function pick<V>(random: Random, values: readonly V[]): V {
  return values[random.integer(values.length)]!;
}

/** True with probability `p`. */
export function chance(random: Random, p: number): boolean {
  return random.uniform() < p;
}

/** An integer from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + random.integer(high - low + 1);
}

/** A copy in random order. */
export function shuffled<V>(random: Random, values: readonly V[]): V[] {
  const copy = [...values];
  for (let i = copy.length - 1; i > 0; i -= 1) {
    const j = random.integer(i + 1);
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}

/** Index drawn in proportion to the weights. */
export function weighted(random: Random, weights: readonly number[]): number {
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  const index = weights.findIndex((weight) => (left -= weight) < 0);
  return index < 0 ? weights.length - 1 : index;
}

/** A number of exactly `digits` digits that was not drawn before, as text. */
export function freshDigits(random: Random, digits: number, used: Set<string>): string {
  for (;;) {
    const text = String(between(random, 10 ** (digits - 1), 10 ** digits - 1));
    if (used.has(text)) continue;
    used.add(text);
    return text;
  }
}
