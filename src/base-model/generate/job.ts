/** Texts that an engine works on. */
import { MillraceError } from '../../errors.ts';
import type { Random } from '../../random/random.ts';
import { seededRandom } from '../../random/seeded.ts';
import type { TextTokenizer } from '../tokenizer.ts';
import type { Adapter } from '../forward/adapter.ts';
import { tokensAt, type ConstraintState } from './constraint.ts';
import type { TextRequest, TokensRequest, WrittenText } from './request.ts';
import { draw, logProbabilityOf } from './sampling.ts';

/** A text whose tokens are computed one after the other. */
export interface Job {
  readonly adapter: Adapter | undefined;
  /** All tokens so far. */
  readonly tokens: readonly number[];
  /** Place of the first token after which logits are wanted. */
  readonly wantedFrom: number;
  readonly signal: AbortSignal | undefined;
  /** Takes the logits after a token, in order. @returns whether the job is done */
  take(logits: Float32Array): boolean;
  /** Answers. */
  finish(): void;
  reject(error: unknown): void;
}

type Settle<T> = { resolve: (value: T) => void; reject: (error: unknown) => void };

/** Writes a text. */
export class WritingJob implements Job {
  readonly adapter: Adapter | undefined;
  readonly tokens: number[];
  readonly wantedFrom: number;
  readonly signal: AbortSignal | undefined;
  readonly #request: TextRequest;
  readonly #settle: Settle<WrittenText>;
  readonly #random: Random;
  readonly #tokenizer: TextTokenizer | undefined;
  readonly #logProbabilities: number[] = [];
  #state: ConstraintState | undefined;
  #stopped = false;

  constructor(request: TextRequest, tokenizer: TextTokenizer | undefined, settle: Settle<WrittenText>) {
    this.#request = request;
    this.#tokenizer = tokenizer;
    this.#settle = settle;
    this.#random = seededRandom(request.seed);
    this.#state = request.constraint?.start;
    this.adapter = request.adapter;
    this.signal = request.signal;
    this.tokens = [...request.prompt];
    this.wantedFrom = request.prompt.length - 1;
  }

  take(logits: Float32Array): boolean {
    const { stopTokens = [], stopStrings = [], maxTokens } = this.#request;
    const allowed = allowedAt(this.#state, stopTokens);
    const { token, logProbability } = draw(logits, this.#request, allowed, this.#random.uniform());
    this.tokens.push(token);
    this.#logProbabilities.push(logProbability);
    this.#stopped = stopTokens.includes(token) && (this.#state === undefined || this.#state.mayEnd);
    if (!this.#stopped && this.#state) {
      this.#state = this.#state.next(token);
      this.#stopped = this.#state.mayEnd && this.#state.allowed.length === 0;
    }
    this.#stopped ||= stopStrings.some((text) => this.#endsAt(text));
    return this.#stopped || this.#logProbabilities.length >= maxTokens;
  }

  finish(): void {
    this.#settle.resolve({
      tokens: this.tokens.slice(this.#request.prompt.length),
      logProbabilities: this.#logProbabilities,
      finish: this.#stopped ? 'stop' : 'length',
    });
  }

  reject(error: unknown): void {
    this.#settle.reject(error);
  }

  /** Whether the last token completed a text. A character takes at most four tokens, those of its bytes; some more for what decoding leaves out. */
  #endsAt(text: string): boolean {
    const written = this.tokens.slice(this.#request.prompt.length);
    return this.#tokenizer!.decode(written.slice(-(4 * text.length + 8))).includes(text);
  }
}

/** Says how likely given tokens are. */
export class ScoringJob implements Job {
  readonly adapter: Adapter | undefined;
  readonly tokens: readonly number[];
  readonly wantedFrom: number;
  readonly signal: AbortSignal | undefined;
  readonly #request: TokensRequest;
  readonly #settle: Settle<number[]>;
  readonly #scores: number[] = [];
  #state: ConstraintState | undefined;

  constructor(request: TokensRequest, settle: Settle<number[]>) {
    const { prompt, tokens, adapter, signal, constraint } = request;
    this.#request = request;
    this.#settle = settle;
    this.#state = constraint?.start;
    this.adapter = adapter;
    this.signal = signal;
    // Nothing is wanted after the last token.
    this.tokens = [...prompt, ...tokens.slice(0, -1)];
    this.wantedFrom = prompt.length - 1;
  }

  take(logits: Float32Array): boolean {
    const { tokens, stopTokens = [] } = this.#request;
    const token = tokens[this.#scores.length]!;
    const allowed = allowedAt(this.#state, stopTokens);
    const score = logProbabilityOf(token, logits, this.#request, allowed);
    this.#scores.push(score);
    if (this.#state && score > -Infinity) {
      this.#state = this.#state.allowed.includes(token) ? this.#state.next(token) : OVER;
    } else if (this.#state) this.#state = OVER;
    return this.#scores.length === tokens.length;
  }

  finish(): void {
    this.#settle.resolve(this.#scores);
  }

  reject(error: unknown): void {
    this.#settle.reject(error);
  }
}

/** After the end of a text, or what was not allowed: nothing may come. */
const OVER: ConstraintState = { allowed: new Uint32Array(0), mayEnd: false, next: () => OVER };

function allowedAt(state: ConstraintState | undefined, stopTokens: readonly number[]): Uint32Array | undefined {
  if (state === undefined) return undefined;
  const allowed = tokensAt(state, stopTokens);
  if (allowed.length > 0 || state === OVER) return allowed;
  throw new MillraceError('failed_precondition', 'constraint: no token of the model can go on with this text', {
    field: 'constraint',
  });
}
