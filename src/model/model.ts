/** Port: language models. */
import type { JsonSchema, ToolSpecification } from '../base-model/chat/conversation.ts';

/** A piece of what a user says. */
export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  /** `url`: an address that the provider can read, or the image itself as `data:image/png;base64,…`. */
  | { readonly type: 'image'; readonly url: string };

/** A call that a model asks for. Neither the tool's name nor the arguments are checked. */
export interface ModelCall {
  /** Names the call in the message with its result; unique in a conversation. */
  readonly id: string;
  readonly tool: string;
  /** The arguments as the model wrote them: JSON, where it made no mistake. */
  readonly arguments: string;
}

/** One message of a conversation with a model. */
export type ModelMessage =
  | { readonly role: 'system'; readonly content: string }
  | { readonly role: 'user'; readonly content: string | readonly ContentPart[] }
  | { readonly role: 'assistant'; readonly content: string; readonly calls?: readonly ModelCall[] }
  /** What came of a call; one for each call of the message before. */
  | { readonly role: 'tool'; readonly id: string; readonly tool: string; readonly content: string };

/** What a model is asked. What is left out is the provider's default. */
export interface ModelRequest {
  readonly messages: readonly ModelMessage[];
  /** Tools that may be called. Default: none. */
  readonly tools?: readonly ToolSpecification[];
  /** Whether a tool must be called: `auto` leaves it to the model, `required` any, `{ tool }` this one. Default `auto`. */
  readonly toolChoice?: 'auto' | 'none' | 'required' | { readonly tool: string };
  /** The text must be JSON of this schema. `name`: letters, digits, `_` and `-`. Providers hold to it more or less: check the answer. */
  readonly output?: { readonly name: string; readonly schema: JsonSchema };
  /** 0 or more; 0: the most likely token each time. */
  readonly temperature?: number;
  /** (0, 1] */
  readonly topP?: number;
  /** Most tokens of the answer, at least 1. */
  readonly maxTokens?: number;
  /** Texts that end the answer; they are not part of it. */
  readonly stop?: readonly string[];
  /** Providers that know it draw the same from the same seed; others ignore it. */
  readonly seed?: number;
  /** Ask for the log-probability of each token of the answer. Providers that do not give them leave them out. Default false. */
  readonly logProbabilities?: boolean;
  /** Ask for the ids of the tokens that were read and written. Providers that do not give them leave them out. Default false. */
  readonly tokenIds?: boolean;
}

/** Why an answer ended: the model ended it, it calls tools, it reached its longest length, or the provider withheld it. */
export type ModelFinish = 'stop' | 'tool_calls' | 'length' | 'filtered';

/** Tokens of one call. */
export interface ModelUsage {
  /** Read, those of a provider's cache included. */
  readonly tokensIn: number;
  readonly tokensOut: number;
  /** How many of `tokensIn` came from the provider's cache. */
  readonly cachedTokensIn?: number;
}

/** What a model answered. */
export interface ModelResult {
  readonly text: string;
  /** Calls in their order; empty where it calls nothing. */
  readonly calls: readonly ModelCall[];
  readonly finish: ModelFinish;
  /** Absent where the provider does not say. */
  readonly usage?: ModelUsage;
  /** The model as the provider names it, which may be more exact than the name that was asked for. */
  readonly model: string;
  /** Id of the answer at the provider. */
  readonly id?: string;
  /** Token ids as they were read. */
  readonly promptTokens?: readonly number[];
  /** Token ids as they were written. */
  readonly tokens?: readonly number[];
  /** Log-probability of each token that was written, in nats. */
  readonly logProbabilities?: readonly number[];
  /** Millionths of a US dollar. Absent where nobody knows a price. */
  readonly microDollars?: number;
  /** The answer was kept from an earlier call, and cost nothing now. */
  readonly cached?: boolean;
  /** Milliseconds from the call to the end of the answer. */
  readonly latencyMs: number;
  /** Milliseconds from the call to the first event of a stream. */
  readonly firstEventMs?: number;
}

/** A piece of an answer as it arrives. */
export type ModelEvent =
  /** More text. */
  | { readonly type: 'text'; readonly text: string }
  /** More of the call at `index`. The first piece of a call has its id and tool; `arguments` is what is new of them. */
  | { readonly type: 'call'; readonly index: number; readonly id?: string; readonly tool?: string; readonly arguments: string }
  /** The whole answer. It comes once, and last. */
  | { readonly type: 'end'; readonly result: ModelResult };

/** Options of one call. */
export interface CallOptions {
  /** Ends the call: it rejects with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A language model. Calls are independent of each other; any number may run at the same time.
 *
 * What goes wrong is a {@link ModelError}: its reason says what, `retryable` whether the same call may succeed later, and `retryAfterMs` when
 * the provider wants it. A call that is stopped by its signal rejects with `cancelled`.
 */
export interface Model {
  /** The name that it is known by in settings, prices and records. */
  readonly name: string;
  generate(request: ModelRequest, options?: CallOptions): Promise<ModelResult>;
  /**
   * The answer in pieces; the last event is `end`, with all of it. A stream that breaks off throws (`MODEL_STREAM_CUT`) and has no `end`.
   * Nothing is sent before the first `next()`; leaving the loop ends the call.
   */
  stream(request: ModelRequest, options?: CallOptions): AsyncIterable<ModelEvent>;
}
