/** The trajectory's advantage for every one of its decisions. Source: Flow-GRPO, arXiv 2510.05592. */
export function broadcast(advantage: number, length: number): number[] {
  return new Array<number>(length).fill(advantage);
}

/**
 * The trajectory's advantage discounted from its end: decision i of n gets advantage x gamma^(n - i - 1), the last one all of
 * it; every token of a decision gets the same.
 *
 * @param lengths - tokens of each decision. Default: one each.
 */
export function discounted(advantage: number, length: number, gamma = 0.99, lengths?: readonly number[]): number[] {
  const decisions = lengths?.length ?? length;
  const of = Array.from({ length: decisions }, (_, i) => advantage * gamma ** (decisions - i - 1));
  return lengths === undefined ? of : of.flatMap((value, d) => broadcast(value, lengths[d]!));
}
