/** What a tool call or a reward used up; what is left out is 0. Sums over a trajectory are columns of table `trajectories`. */
export interface Usage {
  /** Tokens that a model read. */
  tokensIn?: number;
  /** Tokens that a model wrote. */
  tokensOut?: number;
  /** US dollars. Default: the tokens at the price of `model`, else the price of the tool (`prices` of cluster.yaml), else 0. */
  cost?: number;
  /** Model that read and wrote the tokens, by its name in `prices.models` of cluster.yaml. */
  model?: string;
}

/** Sums of what calls used. */
export interface Used {
  tokensIn: number;
  tokensOut: number;
  /** Millionths of a US dollar, each call rounded up. */
  microDollars: number;
}

/** US dollars that one call may cost: more is a mistake. */
const MAX_COST = 1_000_000;

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
  readonly used: Used = { tokensIn: 0, tokensOut: 0, microDollars: 0 };

  add({ tokensIn = 0, tokensOut = 0, microDollars = 0 }: Partial<Used>): void {
    this.used.tokensIn += tokensIn;
    this.used.tokensOut += tokensOut;
    this.used.microDollars += microDollars;
  }
}

/** What is wrong with a usage that code of a flow gave; undefined when nothing is. */
export function usageProblem(usage: unknown): string | undefined {
  if (typeof usage !== 'object' || usage === null)
    return `usage must be { tokensIn?, tokensOut?, cost?, model? }, got ${typeof usage}`;
  const { model } = usage as Record<string, unknown>;
  if (model !== undefined && typeof model !== 'string') return `usage.model must be the name of a model, got ${typeof model}`;
  for (const name of ['tokensIn', 'tokensOut', 'cost'] as const) {
    const value = (usage as Record<string, unknown>)[name];
    if (value === undefined) continue;
    const most = name === 'cost' ? MAX_COST : Number.MAX_SAFE_INTEGER;
    if (typeof value !== 'number' || !(value >= 0 && value <= most) || (name !== 'cost' && !Number.isInteger(value)))
      return `usage.${name} must be ${name === 'cost' ? 'US dollars, a number' : 'a whole number'} from 0${name === 'cost' ? ' to a million' : ''}, got ${typeof value === 'number' ? value : typeof value}`;
  }
  return undefined;
}
