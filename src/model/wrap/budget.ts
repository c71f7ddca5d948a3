import { NOTHING, type Amount } from '../../budget/amount.ts';
import type { Budget } from '../../budget/budget.ts';
import { modelCost, type PriceTable } from '../../budget/prices.ts';
import { ModelError } from '../model-error.ts';
import type { ModelRequest, ModelResult, ModelUsage } from '../model.ts';
import { aroundCall, type ModelWrapper } from './around.ts';

/** Tokens of an image that is somewhere else: more than any provider counts. */
const IMAGE_TOKENS = 16_384;
/** Tokens that a provider adds around a conversation and each of its messages and tools. */
const FRAME_TOKENS = 64;

/** Options of {@link paid}. */
export interface PaidOptions {
  /** By the name of the model. A model that is not in it costs nothing that anybody knows. */
  prices: PriceTable;
  /** Asked before each call. Default: nobody is. */
  budget?: Budget | undefined;
  /** Most tokens of an answer where the request does not say: without a longest length nobody knows a largest cost. Default 4_096. */
  maxTokens?: number | undefined;
}

/**
 * No money without a reservation: sets aside the largest cost that a call can have, makes it, and settles what it cost. A call that was refused
 * costs nothing; one of which nobody knows what it cost, all that was set aside. Results have their `microDollars`.
 *
 * Calls reject with `BudgetExhausted` where the budget has no room, and are then not made.
 */
export function paid({ prices, budget, maxTokens = 4_096 }: PaidOptions): ModelWrapper {
  return (model) => {
    const hasPrice = Object.hasOwn(prices.models, model.name);
    const amountOf = (usage: ModelUsage): Amount => ({
      microDollars: modelCost(prices, model.name, usage),
      tokens: usage.tokensIn + usage.tokensOut,
    });
    return aroundCall(model, async ({ request: asked }) => {
      const request = asked.maxTokens === undefined ? { ...asked, maxTokens } : asked;
      const largest = amountOf({ tokensIn: mostTokensIn(request), tokensOut: request.maxTokens ?? maxTokens });
      const reservation = await budget?.reserve(largest);
      return {
        request,
        answered(result: ModelResult): ModelResult {
          // What is in a cache below has been paid for.
          const actual = result.cached === true ? NOTHING : result.usage && amountOf(result.usage);
          const booked = actual === undefined ? largest : actual;
          if (actual === undefined) reservation?.forfeit();
          else reservation?.settle(actual);
          return hasPrice ? { ...result, microDollars: booked.microDollars } : result;
        },
        failed(thrown: unknown): void {
          const isFree = thrown instanceof ModelError && !thrown.maybeBilled;
          if (isFree) reservation?.settle(NOTHING);
          else reservation?.forfeit();
        },
      };
    });
  };
}

/** More tokens than a request can have: a token is at least a byte of text. */
export function mostTokensIn({ messages, tools = [], output }: ModelRequest): number {
  const images = messages
    .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
    .filter((part) => part.type === 'image');
  const frames = (1 + messages.length + tools.length) * FRAME_TOKENS;
  return Buffer.byteLength(JSON.stringify([messages, tools, output])) + frames + images.length * IMAGE_TOKENS;
}
