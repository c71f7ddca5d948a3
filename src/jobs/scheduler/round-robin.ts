/** Somebody who waits for a turn. */
export interface Claim<K> {
  key: K;
  /** Share relative to that of others, above 0. */
  weight: number;
  /** What its next piece of work costs, above 0. */
  cost: number;
}

/**
 * Deficit round robin (Shreedhar and Varghese, 1995): in every round each claimant gets credit in proportion to its weight and is served
 * while its credit covers its next piece of work, so that in the long run costs are shared by weight, whatever a piece costs. Who has
 * nothing to do keeps no credit.
 */
export class DeficitRoundRobin<K> {
  /** In the order of their turns. */
  readonly #credits = new Map<K, number>();

  /** Who is served next, and pays for it; undefined without claims. Each key once. */
  next(claims: readonly Claim<K>[]): K | undefined {
    if (claims.length === 0) return undefined;
    const byKey = new Map(claims.map((claim) => [claim.key, claim]));
    for (const key of [...this.#credits.keys()]) if (!byKey.has(key)) this.#credits.delete(key);
    for (const { key } of claims) if (!this.#credits.has(key)) this.#credits.set(key, 0);
    const able = (): K | undefined => {
      for (const [key, credit] of this.#credits) if (credit >= byKey.get(key)!.cost) return key;
      return undefined;
    };
    let key = able();
    if (key === undefined) {
      // As many rounds at once as it takes until somebody can be served.
      const rounds = Math.min(...claims.map(({ key: of, weight, cost }) => (cost - this.#credits.get(of)!) / weight));
      for (const { key: of, weight } of claims) this.#credits.set(of, this.#credits.get(of)! + weight * rounds);
      // Rounding may have left the one that was meant a little short.
      key = able() ?? this.#nearest(byKey);
    }
    const left = Math.max(0, this.#credits.get(key)! - byKey.get(key)!.cost);
    // Behind the others: of those with enough credit each has its turn.
    this.#credits.delete(key);
    this.#credits.set(key, left);
    return key;
  }

  #nearest(claims: ReadonlyMap<K, Claim<K>>): K {
    let nearest: { key: K; short: number } | undefined;
    for (const [key, credit] of this.#credits) {
      const short = claims.get(key)!.cost - credit;
      if (nearest === undefined || short < nearest.short) nearest = { key, short };
    }
    return nearest!.key;
  }
}
