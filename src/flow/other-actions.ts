import type { OpenAction } from '../policy/plan.ts';

/** Open actions that were not taken, most likely first. */
export interface OtherActions {
  /** Tool, and in brackets the items it points to: `exchange(1)`. */
  readonly actions: readonly string[];
  /** Rounded to four digits. */
  readonly probabilities: readonly number[];
}

/** Actions that are recorded beside the one that was taken. */
const MOST = 8;

/**
 * The most likely of the actions that were not chosen, at most 8, with what they were sampled with. Of equals the first ones.
 *
 * @param logProbabilities - one for each open action
 */
export function otherActions(open: readonly OpenAction[], logProbabilities: ArrayLike<number>, chosen: number): OtherActions {
  const best: number[] = [];
  for (let i = 0; i < open.length; i++) {
    const value = logProbabilities[i]!;
    if (i === chosen || (best.length === MOST && !(value > logProbabilities[best[MOST - 1]!]!))) continue;
    if (best.length < MOST) best.push(i);
    let at = best.length - 1;
    for (; at > 0 && value > logProbabilities[best[at - 1]!]!; at--) best[at] = best[at - 1]!;
    best[at] = i;
  }
  return {
    actions: best.map((i) => nameOf(open[i]!)),
    probabilities: best.map((i) => Math.round(Math.exp(logProbabilities[i]!) * 1e4) / 1e4),
  };
}

function nameOf({ tool, items }: OpenAction): string {
  return items === undefined || items.length === 0 ? tool : `${tool}(${items.join(', ')})`;
}
