import { nextTurn } from '../../clock/turn.ts';
import { MillraceError } from '../../errors.ts';
import type { Adapter } from '../forward/adapter.ts';
import type { ModelWeights } from '../forward/weights.ts';
import type { TextTokenizer } from '../tokenizer.ts';
import { compiledPasses } from './compiled-passes.ts';
import { ScoringJob, WritingJob, type Job } from './job.ts';
import { plainPasses, type Part, type Passes, type TextMemory } from './passes.ts';
import { PrefixCache, sharedLength } from './prefix-cache.ts';
import { checkText, checkTokens, type RequestLimits, type TextRequest, type TokensRequest, type WrittenText } from './request.ts';

/** Options of {@link GenerationEngine}. */
export interface EngineOptions {
  /** For `stopStrings`. Default: none. */
  tokenizer?: TextTokenizer;
  /**
   * Tokens and log-probabilities are the same to the bit whatever else is computed at the same time, and whatever is in the prefix cache. Default
   * false: log-probabilities differ by rounding.
   */
  deterministic?: boolean;
  /** Texts that are worked on at the same time; others wait. Default 64, at most `rowsPerPass`. */
  texts?: number;
  /** Tokens that are computed before the engine gives way to the event loop: one of each text that is written, then those of prompts. Default 128. */
  rowsPerPass?: number;
  /** Use the compiled kernel where the backend has one, which takes the memory of the weights once more. Default true. */
  compiled?: boolean;
  /** Memory for beginnings of texts that may be needed again; 0: none. Default 128 MiB. */
  prefixCacheBytes?: number;
}

/** A job that is worked on. */
interface Running {
  job: Job;
  memory: TextMemory;
}

/** Shared tokens that are worth waiting for until another text has computed them. */
const WORTH_WAITING = 8;

/**
 * Writes texts with one model and any number of adapters, many side by side: texts join and leave between passes (continuous batching; Yu et al.,
 * OSDI 2022). The weights must not change while it works; those of an adapter that is disposed of must be forgotten first.
 */
export class GenerationEngine {
  readonly #passes: Passes;
  readonly #prefixes: PrefixCache;
  readonly #limits: RequestLimits;
  readonly #tokenizer: TextTokenizer | undefined;
  readonly #texts: number;
  readonly #rows: number;
  #waiting: Job[] = [];
  #running: Running[] = [];
  #isWorking = false;
  #isDisposed = false;
  #computed = 0;

  constructor(weights: ModelWeights, options: EngineOptions = {}) {
    const { deterministic = false, compiled = true, tokenizer } = options;
    const { texts = 64, rowsPerPass = 128, prefixCacheBytes = 128 * 2 ** 20 } = options;
    count('rowsPerPass', rowsPerPass, 1);
    count('texts', texts, 1);
    count('prefixCacheBytes', prefixCacheBytes, 0);
    if (texts > rowsPerPass) {
      throw new MillraceError('invalid_argument', `texts: ${texts} is more than rowsPerPass, ${rowsPerPass}: each needs a row`, {
        field: 'texts',
      });
    }
    const { vocabulary, contextLength, layers } = weights.config;
    this.#passes = (compiled ? compiledPasses(weights, { deterministic }) : undefined) ?? plainPasses(weights, { deterministic });
    this.#prefixes = new PrefixCache(Math.floor(prefixCacheBytes / this.#passes.bytesPerToken));
    this.#limits = { vocabulary, contextLength, layers, hasTokenizer: tokenizer !== undefined };
    this.#tokenizer = tokenizer;
    this.#texts = texts;
    this.#rows = rowsPerPass;
  }

  /** Tokens computed so far: how much the prefix cache saves. */
  get computedTokens(): number {
    return this.#computed;
  }

  /**
   * Writes a text. `invalid_argument` with the field for a request that makes no sense, `cancelled` when its signal is aborted or the engine is disposed
   * of, `failed_precondition` when logits are not finite or the constraint allows no next token.
   */
  async generate(request: TextRequest): Promise<WrittenText> {
    checkText(request, this.#limits);
    return this.#submit((settle) => new WritingJob(request, this.#tokenizer, settle));
  }

  /** log-probability of each given token, -Infinity where it could not have been drawn. Rejects as {@link generate} does. */
  async score(request: TokensRequest): Promise<number[]> {
    checkTokens(request, this.#limits);
    return this.#submit((settle) => new ScoringJob(request, settle));
  }

  /** Drops what is kept of an adapter, or of the weights without one. To be called before an adapter is disposed of, when no text uses it. */
  forget(adapter: Adapter | undefined): void {
    this.#prefixes.forget(adapter);
  }

  /** Rejects what is not done with `cancelled`, and drops all that is kept. The weights are the caller's. */
  dispose(): void {
    this.#isDisposed = true;
    const error = new MillraceError('cancelled', 'the engine was disposed of');
    for (const { job, memory } of this.#running) {
      memory.dispose();
      job.reject(error);
    }
    for (const job of this.#waiting) job.reject(error);
    [this.#running, this.#waiting] = [[], []];
    this.#prefixes.clear();
  }

  #submit<T>(jobOf: (settle: { resolve: (value: T) => void; reject: (error: unknown) => void }) => Job): Promise<T> {
    if (this.#isDisposed) throw new MillraceError('failed_precondition', 'the engine was disposed of');
    return new Promise((resolve, reject) => {
      this.#waiting.push(jobOf({ resolve, reject }));
      if (!this.#isWorking) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    try {
      // What is asked in the same turn is in the same pass.
      for (await nextTurn(); this.#waiting.length + this.#running.length > 0; await nextTurn()) this.#step();
    } finally {
      this.#isWorking = false;
    }
  }

  #step(): void {
    this.#dropAborted();
    this.#admit();
    const chosen = this.#choose();
    if (chosen.length === 0) return;
    let logits: Float32Array[];
    try {
      logits = this.#passes.run(chosen.map(({ part }) => part));
    } catch (error) {
      for (const { running } of chosen) this.#fail(running, error);
      return;
    }
    let next = 0;
    for (const { running, part } of chosen) {
      this.#computed += part.tokens.length;
      this.#answer(running, logits.slice(next, (next += part.wanted)));
    }
  }

  #dropAborted(): void {
    const isAborted = ({ signal }: Job): boolean => signal?.aborted === true;
    const errorOf = ({ signal }: Job) =>
      new MillraceError('cancelled', 'the text is no longer wanted', { cause: signal!.reason });
    for (const running of this.#running.filter(({ job }) => isAborted(job))) this.#fail(running, errorOf(running.job));
    for (const job of this.#waiting.filter(isAborted)) job.reject(errorOf(job));
    this.#waiting = this.#waiting.filter((job) => !isAborted(job));
  }

  /** Lets waiting texts in, the first ones first; one whose beginning another text is about to compute waits for it. */
  #admit(): void {
    const waiting: Job[] = [];
    for (const job of this.#waiting) {
      if (this.#running.length >= this.#texts || this.#isWorthWaiting(job)) {
        waiting.push(job);
        continue;
      }
      // The logits of rows that are wanted have to be computed.
      const memory = this.#prefixes.take(job.adapter, job.tokens, job.wantedFrom) ?? this.#passes.open();
      this.#running.push({ job, memory });
    }
    this.#waiting = waiting;
  }

  #isWorthWaiting(job: Job): boolean {
    if (!this.#prefixes.isOn) return false;
    const known = this.#prefixes.match(job.adapter, job.tokens);
    return this.#running.some(
      (other) =>
        other.job.adapter === job.adapter &&
        other.memory.length <= other.job.wantedFrom &&
        sharedLength(other.job.tokens.slice(0, other.job.wantedFrom + 1), job.tokens) >= known + WORTH_WAITING,
    );
  }

  /** What the next pass computes: the last token of each text that is written, then parts of prompts, by adapter. */
  #choose(): { running: Running; part: Part }[] {
    let room = this.#rows;
    const chosen: { running: Running; part: Part }[] = [];
    const left = ({ job, memory }: Running): number => job.tokens.length - memory.length;
    const byNeed = [...this.#running.filter((each) => left(each) === 1), ...this.#running.filter((each) => left(each) > 1)];
    for (const running of byNeed) {
      const { job, memory } = running;
      const taken = Math.min(left(running), room);
      if (taken === 0) break;
      room -= taken;
      const end = memory.length + taken;
      const tokens = job.tokens.slice(memory.length, end);
      const wanted = Math.min(taken, Math.max(0, end - job.wantedFrom));
      chosen.push({ running, part: { memory, tokens, adapter: job.adapter, wanted } });
    }
    const adapters = [...new Set(chosen.map(({ part }) => part.adapter))];
    return adapters.flatMap((adapter) => chosen.filter(({ part }) => part.adapter === adapter));
  }

  #answer(running: Running, logits: readonly Float32Array[]): void {
    const { job, memory } = running;
    try {
      if (memory.length === job.wantedFrom + 1 && logits.length > 0) {
        this.#prefixes.add(job.adapter, job.tokens.slice(0, memory.length), memory);
      }
      if (!logits.map((each) => job.take(each)).some(Boolean)) return;
    } catch (error) {
      this.#fail(running, error);
      return;
    }
    this.#prefixes.add(job.adapter, job.tokens.slice(0, memory.length), memory);
    this.#leave(running);
    job.finish();
  }

  #fail(running: Running, error: unknown): void {
    this.#leave(running);
    running.job.reject(error);
  }

  #leave(running: Running): void {
    running.memory.dispose();
    this.#running = this.#running.filter((each) => each !== running);
  }
}

function count(field: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new MillraceError('invalid_argument', `${field}: ${value} is not an integer from ${least}`, { field });
}
