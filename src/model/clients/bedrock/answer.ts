/** Answers of Bedrock's Converse. */
import type { ConverseCommandOutput, ConverseStreamOutput, TokenUsage } from '@aws-sdk/client-bedrock-runtime';
import type { ModelEvent, ModelFinish } from '../../model.ts';
import type { ResultBuilder } from '../../result-builder.ts';

const FINISHES: Record<string, ModelFinish> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  content_filtered: 'filtered',
  guardrail_intervened: 'filtered',
};

/** Takes a whole answer. */
export function takeConverse({ output, stopReason, usage, $metadata }: ConverseCommandOutput, builder: ResultBuilder): void {
  builder.id = $metadata.requestId;
  takeFinish(stopReason, builder);
  takeUsage(usage, builder);
  let calls = 0;
  for (const { text, toolUse } of output?.message?.content ?? []) {
    if (text !== undefined) builder.text(text);
    if (toolUse === undefined) continue;
    const { toolUseId: id, name: tool, input = {} } = toolUse;
    builder.call(calls++, { id, tool, arguments: JSON.stringify(input) });
  }
}

/** Reads the events of one stream. */
export class ConverseStream {
  readonly #builder: ResultBuilder;
  /** Calls by the index of their block, with whether they have arguments yet. */
  readonly #calls = new Map<number, { index: number; isEmpty: boolean }>();

  constructor(builder: ResultBuilder) {
    this.#builder = builder;
  }

  /** Takes an event; returns what is new in it. */
  take(event: ConverseStreamOutput): ModelEvent[] {
    const { contentBlockStart: start, contentBlockDelta: more, contentBlockStop: stop, messageStop, metadata } = event;
    if (messageStop !== undefined) takeFinish(messageStop.stopReason, this.#builder);
    if (metadata !== undefined) takeUsage(metadata.usage, this.#builder);
    if (start?.start?.toolUse !== undefined) {
      const { toolUseId: id, name: tool } = start.start.toolUse;
      const call = { index: this.#calls.size, isEmpty: true };
      this.#calls.set(start.contentBlockIndex ?? 0, call);
      return [this.#builder.call(call.index, { id, tool })];
    }
    if (more !== undefined) {
      const { delta, contentBlockIndex = 0 } = more;
      const text = this.#builder.text(delta?.text);
      if (text !== undefined) return [text];
      return delta?.toolUse === undefined ? [] : this.#arguments(contentBlockIndex, delta.toolUse.input ?? '');
    }
    // A call without arguments has no piece of them.
    const ended = stop === undefined ? undefined : this.#calls.get(stop.contentBlockIndex ?? 0);
    return ended?.isEmpty ? this.#arguments(stop!.contentBlockIndex ?? 0, '{}') : [];
  }

  #arguments(block: number, text: string): ModelEvent[] {
    const call = this.#calls.get(block);
    if (call === undefined || text === '') return [];
    call.isEmpty = false;
    return [this.#builder.call(call.index, { arguments: text })];
  }
}

function takeFinish(reason: string | undefined, builder: ResultBuilder): void {
  if (reason !== undefined) builder.finish = FINISHES[reason] ?? 'stop';
}

function takeUsage(usage: TokenUsage | undefined, builder: ResultBuilder): void {
  if (usage === undefined) return;
  const { inputTokens = 0, outputTokens = 0, cacheReadInputTokens: cached, cacheWriteInputTokens: made } = usage;
  builder.usage = {
    tokensIn: inputTokens + (cached ?? 0) + (made ?? 0),
    tokensOut: outputTokens,
    ...(cached !== undefined && { cachedTokensIn: cached }),
  };
}
