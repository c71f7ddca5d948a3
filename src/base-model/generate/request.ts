import { MillraceError } from '../../errors.ts';
import type { Adapter } from '../forward/adapter.ts';
import type { Constraint } from './constraint.ts';

/** How the next token is drawn from the logits of a model. */
export interface Sampling {
  /** Logits are divided by it; 0: the most likely token each time, with its log-probability at temperature 1. */
  temperature: number;
  /** Only the most likely tokens, as many as this. Default: all. */
  topK?: number;
  /**
   * Only the most likely tokens whose probabilities add up to this (Holtzman et al., arXiv 1904.09751), after `topK`; more than 0, at most 1.
   * Default 1: all.
   */
  topP?: number;
}

/** A text to write. */
export interface TextRequest extends Sampling {
  /** Token ids, at least one. */
  prompt: readonly number[];
  /** Default: the weights as they are. */
  adapter?: Adapter | undefined;
  /** Most tokens to write; at least 1, and together with the prompt no more than the model has positions. */
  maxTokens: number;
  /** uint32. What is drawn depends on weights, prompt, sampling and seed, whatever else is computed at the same time. */
  seed: number;
  /** Tokens that end the text; the one that came is its last. Default: none. */
  stopTokens?: readonly number[];
  /** Texts that end the text; the token that completes one is its last. Needs an engine with a tokenizer. Default: none. */
  stopStrings?: readonly string[];
  /** What may be written. Needs `stopTokens`, which say that a text that could go on is over. Default: anything. */
  constraint?: Constraint | undefined;
  /** Gives up when it is aborted: the promise is rejected with `cancelled`. */
  signal?: AbortSignal | undefined;
}

/** Tokens whose log-probabilities are asked for. The temperature must be above 0. */
export interface TokensRequest extends Sampling {
  /** Token ids, at least one. */
  prompt: readonly number[];
  /** What follows the prompt; at least one. */
  tokens: readonly number[];
  /** Default: the weights as they are. */
  adapter?: Adapter | undefined;
  /** Default: anything. Needs `stopTokens`. */
  constraint?: Constraint | undefined;
  /** Tokens that say that a constrained text is over. Default: none. */
  stopTokens?: readonly number[];
  signal?: AbortSignal | undefined;
}

/** A text as it was drawn. */
export interface WrittenText {
  /** Token ids, at least one. */
  tokens: number[];
  /** Of each token, in nats, under the distribution that it was drawn from. */
  logProbabilities: number[];
  /** `stop`: a stop token or text came, or the constraint leaves nothing to write. `length`: it has `maxTokens`. */
  finish: 'stop' | 'length';
}

/** What requests are checked against. */
export interface RequestLimits {
  vocabulary: number;
  contextLength: number;
  layers: number;
  hasTokenizer: boolean;
}

const LARGEST_SEED = 0xffff_ffff;

/** Throws `invalid_argument`, naming the field, when a request for a text makes no sense. */
export function checkText(request: TextRequest, limits: RequestLimits): void {
  const { prompt, maxTokens, seed, stopStrings = [] } = request;
  checkCommon(request, limits);
  need(isCount(maxTokens), 'maxTokens', `${maxTokens} is not an integer from 1`);
  const total = prompt.length + maxTokens;
  need(
    total <= limits.contextLength,
    'maxTokens',
    `a prompt of ${prompt.length} tokens and ${maxTokens} more are ${total}; the model has ${limits.contextLength} positions`,
  );
  need(
    Number.isInteger(seed) && seed >= 0 && seed <= LARGEST_SEED,
    'seed',
    `${seed} is not an integer from 0 to ${LARGEST_SEED}`,
  );
  need(
    stopStrings.every((text) => text !== ''),
    'stopStrings',
    'a text is empty: it would end every text',
  );
  need(stopStrings.length === 0 || limits.hasTokenizer, 'stopStrings', 'the engine has no tokenizer to find texts with');
}

/** Throws `invalid_argument`, naming the field, when a request for log-probabilities makes no sense. */
export function checkTokens(request: TokensRequest, limits: RequestLimits): void {
  const { prompt, tokens, temperature } = request;
  checkCommon(request, limits);
  need(temperature > 0, 'temperature', 'is 0; log-probabilities of given tokens need one above 0');
  need(tokens.length > 0, 'tokens', 'there are none');
  checkIds(tokens, 'tokens', limits);
  const total = prompt.length + tokens.length;
  need(
    total <= limits.contextLength,
    'tokens',
    `with the prompt they are ${total}; the model has ${limits.contextLength} positions`,
  );
}

function checkCommon(request: TextRequest | TokensRequest, limits: RequestLimits): void {
  const { prompt, temperature, topP = 1, topK, adapter, stopTokens = [], constraint } = request;
  need(prompt.length > 0, 'prompt', 'has no tokens: give it at least one, such as the one that begins texts');
  checkIds(prompt, 'prompt', limits);
  need(temperature >= 0 && temperature < Infinity, 'temperature', `${temperature} is not a number from 0`);
  need(topP > 0 && topP <= 1, 'topP', `${topP} is not above 0 and at most 1`);
  need(topK === undefined || isCount(topK), 'topK', `${topK} is not an integer from 1`);
  checkIds(stopTokens, 'stopTokens', limits);
  need(
    adapter === undefined || adapter.layers.length === limits.layers,
    'adapter',
    `has ${adapter?.layers.length} layers; the model has ${limits.layers}`,
  );
  need(
    constraint === undefined || stopTokens.length > 0,
    'stopTokens',
    'there are none: a constraint needs one to end a text that could go on',
  );
}

function checkIds(ids: readonly number[], field: string, { vocabulary }: RequestLimits): void {
  const unknown = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
  need(unknown === undefined, field, `there is no token ${unknown}: the model has 0 to ${vocabulary - 1}`);
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;

function need(holds: boolean, field: string, problem: string): void {
  if (!holds) throw new MillraceError('invalid_argument', `${field}: ${problem}`, { field });
}
