/** What a tool call or a reward used up; what is left out is 0. Sums over a trajectory are columns of table `trajectories`. */
export interface Usage {
  /** Tokens that a model read. */
  tokensIn?: number;
  /** Tokens that a model wrote. */
  tokensOut?: number;
  /** Money, in whatever currency the flow counts in. */
  cost?: number;
}

/** Sums of {@link Usage}. */
export type Used = Required<Usage>;

/** By name: a flow may have its own copy of this module. */
const METERED = Symbol.for('millrace.metered');

/** Return this from a tool, `return metered(answer, { tokensIn: 812, tokensOut: 40 })`: the flow sees the result alone. */
export function metered<R>(result: R, usage: Usage): R {
  // The executor takes it apart again before anybody sees it, so that tools keep their types.
  return { [METERED]: { result, usage } } as unknown as R;
}

/** A tool's result, and what it said it used. */
export function splitUsage(result: unknown): { result: unknown; usage: unknown } {
  if (typeof result !== 'object' || result === null || !(METERED in result)) return { result, usage: undefined };
  return (result as { [METERED]: { result: unknown; usage: unknown } })[METERED];
}

/** Adds up usages; a new total starts at nothing. */
export class Meter {
  readonly used: Used = { tokensIn: 0, tokensOut: 0, cost: 0 };

  add({ tokensIn = 0, tokensOut = 0, cost = 0 }: Usage): void {
    this.used.tokensIn += tokensIn;
    this.used.tokensOut += tokensOut;
    this.used.cost += cost;
  }
}

/** What is wrong with a usage that code of a flow gave; undefined when nothing is. */
export function usageProblem(usage: unknown): string | undefined {
  if (typeof usage !== 'object' || usage === null) return `usage must be { tokensIn?, tokensOut?, cost? }, got ${typeof usage}`;
  for (const name of ['tokensIn', 'tokensOut', 'cost'] as const) {
    const value = (usage as Record<string, unknown>)[name];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || (name !== 'cost' && !Number.isInteger(value)))
      return `usage.${name} must be ${name === 'cost' ? 'a number' : 'a whole number'} from 0, got ${typeof value === 'number' ? value : typeof value}`;
  }
  return undefined;
}
