/** A checkpoint as retention sees it. */
export interface Candidate {
  version: number;
  /** Held-out success, higher is better. */
  score: number;
}

/** The `keep` best candidates, best first; of equal scores the newer version. Scores that are not finite come last. */
export function best<C extends Candidate>(keep: number, candidates: readonly C[]): C[] {
  const value = (score: number): number => (Number.isFinite(score) ? score : -Infinity);
  return [...candidates]
    .sort((a, b) => {
      const [x, y] = [value(a.score), value(b.score)];
      return x === y ? b.version - a.version : y > x ? 1 : -1;
    })
    .slice(0, Math.max(0, keep));
}
