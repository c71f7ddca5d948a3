/** Port: random numbers. Everything that draws takes a Random, so that a seed fixes a run. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Uniform integer in [0, n); n >= 1. */
  integer(n: number): number;
  /** Standard normal. */
  normal(): number;
  /** A child generator whose stream depends only on this generator's seed and `label`, not on how much was drawn. */
  fork(label: string | number): Random;
}
