/** JSON of somebody else: nothing of it is certain. */
export type Loose = Readonly<Record<string, unknown>>;

/** What a chat completion says of itself. */
export interface ChatFacts {
  servedModel: string;
  finishReason: string;
  tokensIn: number;
  tokensOut: number;
  tokensCached: number;
  /** Token ids that were read; undefined where the upstream does not say. */
  promptTokens: readonly number[] | undefined;
  /** Token ids that were written, by the first choice. */
  tokens: readonly number[] | undefined;
  logProbabilities: readonly number[] | undefined;
}

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null && !Array.isArray(value);
export const objectOf = (value: unknown): Loose => (isObject(value) ? value : {});
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const countOf = (value: unknown): number => (typeof value === 'number' && value >= 0 && value < 2 ** 53 ? Math.floor(value) : 0);

/** Reads what is known of a completion that came in one piece, or was put together from its chunks. */
export function factsOf(response: Loose): ChatFacts {
  const usage = objectOf(response['usage']);
  const choice = objectOf(listOf(response['choices'])[0]);
  const content = objectOf(choice['logprobs'])['content'];
  return {
    servedModel: textOf(response['model']),
    finishReason: textOf(choice['finish_reason']),
    tokensIn: countOf(usage['prompt_tokens']),
    tokensOut: countOf(usage['completion_tokens']),
    tokensCached: countOf(objectOf(usage['prompt_tokens_details'])['cached_tokens']),
    promptTokens: numbersOf(response['prompt_token_ids'], isTokenId),
    tokens: numbersOf(choice['token_ids'], isTokenId),
    logProbabilities: Array.isArray(content)
      ? numbersOf(
          content.map((each) => objectOf(each)['logprob']),
          Number.isFinite,
        )
      : undefined,
  };
}

const isTokenId = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32;

/** Undefined unless all of them are such numbers: half a list is worse than none. */
function numbersOf(value: unknown, isOne: (value: unknown) => boolean): readonly number[] | undefined {
  return Array.isArray(value) && value.length > 0 && value.every(isOne) ? (value as number[]) : undefined;
}

interface Choice {
  index: number;
  message: Record<string, unknown>;
  calls: Record<string, unknown>[];
  logprobs: unknown[];
  tokens: unknown[];
  finish: string;
}

/** Puts the chunks of a streamed chat completion together: the completion as it would have come in one piece. */
export class ChatAssembly {
  readonly #head: Record<string, unknown> = {};
  readonly #choices = new Map<number, Choice>();

  add(chunk: Loose): void {
    for (const [key, value] of Object.entries(chunk))
      if (key !== 'choices' && value !== null) this.#head[key] = key === 'object' ? 'chat.completion' : value;
    for (const given of listOf(chunk['choices'])) this.#addChoice(objectOf(given));
  }

  /** How many choices have said why they ended. */
  get finished(): number {
    return [...this.#choices.values()].filter(({ finish }) => finish !== '').length;
  }

  get response(): Loose {
    const choices = [...this.#choices.values()].sort((a, b) => a.index - b.index);
    return {
      ...this.#head,
      choices: choices.map(({ index, message, calls, logprobs, tokens, finish }) => ({
        index,
        message: { ...message, ...(calls.length > 0 && { tool_calls: calls.filter(Boolean) }) },
        ...(logprobs.length > 0 && { logprobs: { content: logprobs } }),
        ...(tokens.length > 0 && { token_ids: tokens }),
        finish_reason: finish === '' ? null : finish,
      })),
    };
  }

  #addChoice(given: Loose): void {
    const index = countOf(given['index']);
    const choice: Choice = this.#choices.get(index) ?? {
      ...{ index, message: { role: 'assistant', content: null }, calls: [], logprobs: [], tokens: [], finish: '' },
    };
    this.#choices.set(index, choice);
    for (const [key, value] of Object.entries(objectOf(given['delta']))) {
      if (key === 'tool_calls') for (const call of listOf(value)) addCall(choice.calls, objectOf(call));
      else if (value !== null) choice.message[key] = key === 'role' ? value : grown(choice.message[key], value);
    }
    choice.logprobs.push(...listOf(objectOf(given['logprobs'])['content']));
    choice.tokens.push(...listOf(given['token_ids']));
    choice.finish = textOf(given['finish_reason']) || choice.finish;
  }
}

/** Calls that a model may make at once: what is beyond is no index. */
const MOST_CALLS = 1024;

function addCall(calls: Record<string, unknown>[], given: Loose): void {
  const index = Math.min(countOf(given['index']), MOST_CALLS);
  const call = (calls[index] ??= {});
  const { index: _, function: called, ...rest } = given;
  Object.assign(call, rest);
  const before = objectOf(call['function']);
  const { name, arguments: more } = objectOf(called);
  call['function'] = {
    name: textOf(before['name']) || textOf(name),
    arguments: textOf(before['arguments']) + textOf(more),
  };
}

/** Texts and lists of a delta continue those before; anything else takes their place. */
function grown(before: unknown, more: unknown): unknown {
  if (typeof before === 'string' && typeof more === 'string') return before + more;
  return Array.isArray(before) && Array.isArray(more) ? [...(before as unknown[]), ...(more as unknown[])] : more;
}
