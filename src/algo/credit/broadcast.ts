/** The trajectory's advantage for every one of its decisions. Source: Flow-GRPO, arXiv 2510.05592. */
export function broadcast(advantage: number, length: number): number[] {
  return new Array<number>(length).fill(advantage);
}

/**
 * The trajectory's advantage discounted from its end: decision i of n gets advantage x gamma^(n - i - 1), the last one all of
 * it.
 */
export function discounted(advantage: number, length: number, gamma = 0.99): number[] {
  return Array.from({ length }, (_, i) => advantage * gamma ** (length - i - 1));
}
