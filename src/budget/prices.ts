import { NOTHING, type Amount } from './amount.ts';
import { microDollars, roundUp } from './money.ts';

/** What calls cost, in US dollars. */
export interface PriceTable {
  /** By model name. */
  models: Readonly<Record<string, { inputPerMillion: number; outputPerMillion: number }>>;
  /** By tool name: a call. */
  tools: Readonly<Record<string, number>>;
}

export const NO_PRICES: PriceTable = { models: {}, tools: {} };

/** What a call says that it used. */
export interface ReportedUse {
  tokensIn?: number | undefined;
  tokensOut?: number | undefined;
  /** US dollars. */
  cost?: number | undefined;
  /** Model whose tokens they are. */
  model?: string | undefined;
}

/** What tokens of a model cost, in whole micro-dollars, rounded up once for the call; 0 for a model that has no price. */
export function modelCost({ models }: PriceTable, model: string, tokens: { tokensIn: number; tokensOut: number }): number {
  if (!Object.hasOwn(models, model)) return 0;
  const { inputPerMillion, outputPerMillion } = models[model]!;
  // A dollar for a million tokens is a micro-dollar for one.
  return roundUp(tokens.tokensIn * inputPerMillion + tokens.tokensOut * outputPerMillion);
}

/** The price of one call of a tool, in micro-dollars; undefined when it has none. */
export function toolPrice({ tools }: PriceTable, tool: string): number | undefined {
  return Object.hasOwn(tools, tool) ? microDollars(tools[tool]!) : undefined;
}

/**
 * What a call that was answered cost: what it says itself, else its tokens at the price of its model, else the price of the tool, else
 * nothing.
 */
export function costOf(prices: PriceTable, tool: string | undefined, use: ReportedUse = {}): Amount {
  const { tokensIn = 0, tokensOut = 0, cost, model } = use;
  const tokens = tokensIn + tokensOut;
  if (cost !== undefined) return { microDollars: microDollars(cost), tokens };
  if (model !== undefined && Object.hasOwn(prices.models, model))
    return { microDollars: modelCost(prices, model, { tokensIn, tokensOut }), tokens };
  const price = tool === undefined ? undefined : toolPrice(prices, tool);
  return price === undefined && tokens === 0 ? NOTHING : { microDollars: price ?? 0, tokens };
}
