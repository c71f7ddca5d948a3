import type { Clock } from '../clock/clock.ts';
import type { ModelCall, ModelEvent, ModelFinish, ModelResult, ModelUsage } from './model.ts';

/** What arrives of a call: the first piece has id and tool. */
interface CallPiece {
  id?: string | undefined;
  tool?: string | undefined;
  arguments?: string | undefined;
}

/** Puts an answer together from its pieces, and keeps its times. */
export class ResultBuilder {
  /** The model as the provider names it. */
  model: string;
  id: string | undefined;
  finish: ModelFinish | undefined;
  usage: ModelUsage | undefined;
  promptTokens: readonly number[] | undefined;
  readonly #clock: Clock;
  readonly #startedAt: number;
  #firstEventMs: number | undefined;
  #text = '';
  readonly #calls: { id: string; tool: string; arguments: string }[] = [];
  #tokens: number[] | undefined;
  #logProbabilities: number[] | undefined;

  /** @param model - the name to use until the provider says another */
  constructor(model: string, clock: Clock) {
    this.model = model;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
  }

  /** Appends text; undefined where there is none. */
  text(text: string | null | undefined): ModelEvent | undefined {
    if (text === undefined || text === null || text === '') return undefined;
    this.#text += text;
    return this.#event({ type: 'text', text });
  }

  /** Appends a piece of the call at `index`; pieces of a call that was begun are added to it. */
  call(index: number, { id, tool, arguments: added = '' }: CallPiece): ModelEvent {
    const known = this.#calls[index];
    if (known !== undefined) {
      known.arguments += added;
      return this.#event({ type: 'call', index, arguments: added });
    }
    // Some providers leave the ids out; results are told apart by them.
    const call = { id: id ?? `call_${index}`, tool: tool ?? '', arguments: added };
    this.#calls[index] = call;
    return this.#event({ type: 'call', index, ...call });
  }

  /** Appends what is known of tokens that were written. */
  tokens(ids: readonly number[] | null | undefined, logProbabilities: readonly number[] | null | undefined): void {
    if (ids) (this.#tokens ??= []).push(...ids);
    if (logProbabilities) (this.#logProbabilities ??= []).push(...logProbabilities);
  }

  /** The answer as it is now. Without a finish it is that of a model that ended by itself. */
  result(): ModelResult {
    const calls: ModelCall[] = this.#calls.filter((call) => (call as ModelCall | undefined) !== undefined);
    const { usage, id, promptTokens } = this;
    return {
      text: this.#text,
      calls,
      finish: this.finish ?? (calls.length > 0 ? 'tool_calls' : 'stop'),
      ...(usage !== undefined && { usage }),
      model: this.model,
      ...(id !== undefined && { id }),
      ...(promptTokens !== undefined && { promptTokens }),
      ...(this.#tokens !== undefined && { tokens: this.#tokens }),
      ...(this.#logProbabilities !== undefined && { logProbabilities: this.#logProbabilities }),
      latencyMs: this.#clock.monotonic() - this.#startedAt,
      ...(this.#firstEventMs !== undefined && { firstEventMs: this.#firstEventMs }),
    };
  }

  #event(event: ModelEvent): ModelEvent {
    this.#firstEventMs ??= this.#clock.monotonic() - this.#startedAt;
    return event;
  }
}
