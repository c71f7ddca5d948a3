import type { Clock } from '../../../src/clock/clock.ts';
import type { SessionRecord } from '../../../src/jobs/sessions/session.ts';
import { modelCost, type PriceTable } from '../../../src/budget/prices.ts';
import type { CallRow, CaptureLevel } from '../../../src/records/call-tables.ts';
import { factsOf, type ChatFacts, type Loose } from './chat-response.ts';
import type { ChatRequest } from './chat-request.ts';
import type { Journal } from './journal.ts';
import type { Upstream } from './providers.ts';
import type { SharedMessages } from './shared-messages.ts';

/** What is known of a call when it begins. */
export interface CallStart {
  id: string;
  session: SessionRecord;
  request: ChatRequest;
  upstream: Upstream;
  shared: SharedMessages;
}

/** What a {@link RecordedCall} works with. */
export interface RecordedCallContext {
  clock: Pick<Clock, 'now' | 'monotonic'>;
  journal: Journal;
  prices: () => Promise<PriceTable>;
}

/** How a call ended. */
export interface CallEnd {
  status: 'completed' | 'failed' | 'cut';
  httpStatus: number;
  /** As far as it came. */
  response?: Loose | undefined;
  /** The body where it is no JSON of a completion. */
  text?: string;
  error?: string;
}

/** One call on its way through the gateway: in the journal before it goes upstream, and before its end reaches the client. */
export class RecordedCall {
  readonly #context: RecordedCallContext;
  readonly #start: CallStart;
  readonly #startedAt: number;
  readonly #since: number;
  #row: CallRow | undefined;
  #firstByteUs = 0;
  #ended: Promise<void> | undefined;

  /** Writes that it begins; see {@link Journal.begin}. */
  static async begin(start: CallStart, context: RecordedCallContext): Promise<RecordedCall> {
    const call = new RecordedCall(start, context);
    call.#row = await context.journal.begin(call.#started());
    return call;
  }

  private constructor(start: CallStart, context: RecordedCallContext) {
    this.#start = start;
    this.#context = context;
    this.#startedAt = Math.round(context.clock.now() * 1000);
    this.#since = context.clock.monotonic();
  }

  get id(): string {
    return this.#start.id;
  }

  /** The first byte of the response is there. */
  onFirstByte(): void {
    if (this.#firstByteUs === 0) this.#firstByteUs = this.#elapsedUs();
  }

  /** Writes how it ended; the first end holds. It is in the journal when this resolves. */
  end(end: CallEnd): Promise<void> {
    return (this.#ended ??= this.#end(end));
  }

  async #end({ status, httpStatus, response, text = '', error = '' }: CallEnd): Promise<void> {
    const { journal } = this.#context;
    const facts = factsOf(response ?? {});
    const duration = this.#elapsedUs();
    const endedAt = this.#startedAt + Math.max(1, duration);
    await journal.end({
      ...this.#row!,
      ...{ status, http_status: httpStatus, error, finish_reason: facts.finishReason, served_model: facts.servedModel },
      ...captured(facts),
      response: response === undefined ? text : JSON.stringify(response),
      ...{ tokens_in: facts.tokensIn, tokens_out: facts.tokensOut, tokens_cached: facts.tokensCached },
      micro_dollars: await this.#cost(facts),
      ...{ first_byte_us: this.#firstByteUs, duration_us: duration, ended_at: endedAt, at: endedAt },
    });
  }

  /** By the name that the caller used, the provider's own, and the one that the upstream answered with: the first that has a price. */
  async #cost({ tokensIn, tokensOut, servedModel }: ChatFacts): Promise<number> {
    const prices = await this.#context.prices();
    const names = [this.#start.request.model, this.#start.upstream.model, servedModel];
    const priced = names.find((name) => Object.hasOwn(prices.models, name));
    return priced === undefined ? 0 : modelCost(prices, priced, { tokensIn, tokensOut });
  }

  #elapsedUs(): number {
    return Math.round((this.#context.clock.monotonic() - this.#since) * 1000);
  }

  #started(): CallRow {
    const { id, session, request, upstream, shared } = this.#start;
    const { messages, body } = request;
    return {
      ...{ job: session.job, trajectory_id: session.trajectory, call_id: id, session: session.id, task_id: session.taskId },
      ...{ experiment: session.experiment?.id ?? '', arm: session.experiment?.arm ?? '', status: 'started', use: 'main' },
      ...{ retry_of: '', capture: 'text', endpoint: 'chat.completions', upstream: upstream.provider, model: request.model },
      ...{ served_model: '', weights: '', prompt_digest: request.promptDigest, streamed: request.stream },
      ...{ continues: shared.continues, shared_messages: shared.shared },
      request: JSON.stringify({ ...body, messages: messages.slice(shared.shared) }),
      ...{ request_digest: request.digest, request_artifact: '', response: '', response_artifact: '', http_status: 0 },
      ...{ error: '', finish_reason: '', tokens_in: 0, tokens_out: 0, tokens_cached: 0, micro_dollars: 0 },
      ...{ first_byte_us: 0, duration_us: 0, prompt_tokens: [], tokens: [], token_log_probabilities: [] },
      ...{ started_at: this.#startedAt, ended_at: 0, at: this.#startedAt },
    };
  }
}

/** `tokens` only where ids of all tokens and log-probabilities are known: nothing less can be trained on. */
function captured({ promptTokens, tokens, logProbabilities }: ChatFacts): Partial<CallRow> & { capture: CaptureLevel } {
  if (logProbabilities === undefined) return { capture: 'text' };
  if (promptTokens === undefined || tokens === undefined || tokens.length !== logProbabilities.length)
    return { capture: 'logprobs', token_log_probabilities: logProbabilities };
  return { capture: 'tokens', prompt_tokens: promptTokens, tokens, token_log_probabilities: logProbabilities };
}
