import { modelCost, type PriceTable } from '../../budget/prices.ts';
import type { Model, ModelRequest } from '../model.ts';
import { aroundOpening } from '../wrap/around.ts';
import { mostTokensIn } from '../wrap/budget.ts';

/** What a request must be for a rule to take it. All that is given must hold. */
export interface RouteRule {
  /** It has images. */
  images?: boolean | undefined;
  /** It has tools. */
  tools?: boolean | undefined;
  /** It wants JSON of a schema. */
  output?: boolean | undefined;
  /** It has at most so many characters. */
  maxChars?: number | undefined;
  /** A message has this text in it. */
  contains?: string | undefined;
  /** Anything else. */
  when?: ((request: ModelRequest) => boolean) | undefined;
}

/** Whether a request is what a rule is for. */
function suits(rule: RouteRule, request: ModelRequest): boolean {
  const { images, tools, output, maxChars, contains, when } = rule;
  const parts = request.messages.flatMap(({ content }) =>
    typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content,
  );
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
  return (
    (images ?? texts.length < parts.length) === texts.length < parts.length &&
    (tools ?? (request.tools?.length ?? 0) > 0) === (request.tools?.length ?? 0) > 0 &&
    (output ?? request.output !== undefined) === (request.output !== undefined) &&
    texts.reduce((sum, text) => sum + text.length, 0) <= (maxChars ?? Infinity) &&
    (contains === undefined || texts.some((text) => text.includes(contains))) &&
    (when?.(request) ?? true)
  );
}

/** Sends each request to the model of the first rule that takes it, else to `otherwise`. */
export function routedByRule(name: string, rules: readonly { rule: RouteRule; model: Model }[], otherwise: Model): Model {
  return aroundOpening(
    otherwise,
    (attempt, open) => open(attempt, rules.find(({ rule }) => suits(rule, attempt.request))?.model ?? otherwise),
    name,
  );
}

/** Sends each request to the model that it costs least at, at its longest answer; of equal ones to the first. */
export function routedByCost(name: string, models: readonly [Model, ...Model[]], prices: PriceTable): Model {
  return aroundOpening(
    models[0],
    (attempt, open) => {
      const { maxTokens: tokensOut = 1_024 } = attempt.request;
      const tokens = { tokensIn: mostTokensIn(attempt.request), tokensOut };
      const costs = models.map((model) => modelCost(prices, model.name, tokens));
      return open(attempt, models[costs.indexOf(Math.min(...costs))]!);
    },
    name,
  );
}
