import type { RoundGroup } from '../method.ts';

/** A factor that is the same after every token, or one for each of them. */
export type Pace = number | readonly number[];

/** The factor after token t. */
export function at(pace: Pace, t: number): number {
  return typeof pace === 'number' ? pace : pace[t]!;
}

/**
 * Time passes from decision to decision: `factor` (a discount, a decay of traces) after the last token of each decision of trajectory
 * i, 1 within a decision. Credit then does not depend on how many tokens it took to write a decision down.
 */
export function paceOf({ decisionLengths }: RoundGroup, i: number, factor: number): Pace {
  const lengths = decisionLengths?.[i];
  if (lengths === undefined || lengths.every((length) => length === 1)) return factor;
  return lengths.flatMap((length) => Array.from({ length }, (_, t) => (t === length - 1 ? factor : 1)));
}
