import { inRange } from '../check.ts';

/**
 * pass@k of one task: how likely at least one of `k` flows succeeds, estimated without bias from `successes` among `n` >= k flows,
 * 1 - C(n - successes, k) / C(n, k). That of a set of tasks is the mean over them.
 * Source: Chen et al., arXiv 2107.03374, section 2.1.
 *
 * @throws MillraceError `invalid_argument` unless 1 <= k <= n and 0 <= successes <= n, all whole
 */
export function passAtK(n: number, successes: number, k: number): number {
  inRange('n', n, { min: 1, whole: true });
  inRange('successes', successes, { min: 0, max: n, whole: true });
  inRange('k', k, { min: 1, max: n, whole: true });
  let none = 1;
  for (let i = 0; i < k; i++) none *= Math.max(0, n - successes - i) / (n - i);
  return 1 - none;
}
