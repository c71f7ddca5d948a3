import type { CallOptions, Model, ModelRequest, ModelResult } from '../model.ts';
import { wholeAnswers } from '../wrap/cache.ts';

/** What makes an answer good enough. */
export interface EscalateOptions {
  /**
   * Least mean probability of the answer's tokens, (0, 1]: below it the next model is asked. Log-probabilities are then asked for; an answer
   * without them is taken as sure. Default: it does not matter.
   */
  confidence?: number | undefined;
  /** Whether an answer is right; a failed verification asks the next model. Default: every answer is. */
  verify?: ((result: ModelResult, request: ModelRequest) => boolean | Promise<boolean>) | undefined;
}

/**
 * Asks models from the smallest to the largest, until one is sure and its answer is verified; the last one's answer is taken as it is. An answer that
 * was cut off or withheld is not good enough. The result's cost and usage are those of all that were asked; streams begin when the answer is known.
 *
 * @param models - at least one, the cheapest first
 */
export function escalating(name: string, models: readonly [Model, ...Model[]], options: EscalateOptions): Model {
  const { confidence, verify } = options;
  const isGood = async (result: ModelResult, request: ModelRequest): Promise<boolean> => {
    if (result.finish === 'length' || result.finish === 'filtered') return false;
    if (confidence !== undefined && meanProbability(result) < confidence) return false;
    return verify === undefined || (await verify(result, request));
  };
  return wholeAnswers(name, async (request: ModelRequest, call?: CallOptions): Promise<ModelResult> => {
    const asked = confidence === undefined ? request : { ...request, logProbabilities: true };
    const before: ModelResult[] = [];
    for (const model of models.slice(0, -1)) {
      const result = await model.generate(asked, call);
      if (await isGood(result, request)) return withCosts(result, before);
      before.push(result);
    }
    return withCosts(await models.at(-1)!.generate(request, call), before);
  });
}

/** Geometric mean of the probabilities of the tokens; 1 where nobody says. */
function meanProbability({ logProbabilities = [] }: ModelResult): number {
  if (logProbabilities.length === 0) return 1;
  return Math.exp(logProbabilities.reduce((sum, log) => sum + log, 0) / logProbabilities.length);
}

function withCosts(result: ModelResult, before: readonly ModelResult[]): ModelResult {
  if (before.length === 0) return result;
  const all = [...before, result];
  const usages = all.flatMap(({ usage }) => (usage === undefined ? [] : [usage]));
  const costs = all.flatMap(({ microDollars }) => (microDollars === undefined ? [] : [microDollars]));
  return {
    ...result,
    ...(usages.length > 0 && {
      usage: { tokensIn: sum(usages.map(({ tokensIn }) => tokensIn)), tokensOut: sum(usages.map(({ tokensOut }) => tokensOut)) },
    }),
    ...(costs.length > 0 && { microDollars: sum(costs) }),
    latencyMs: sum(all.map(({ latencyMs }) => latencyMs)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
