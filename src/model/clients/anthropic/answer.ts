/** Answers in the form of Anthropic's Messages, as far as they are read. */
import { z } from 'zod';
import type { ModelEvent, ModelFinish } from '../../model.ts';
import type { ResultBuilder } from '../../result-builder.ts';

const count = z.int().min(0).nullish();
const usageSchema = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
});
type Usage = z.infer<typeof usageSchema>;

const blockSchema = z.object({
  type: z.string(),
  text: z.string().optional(),
  id: z.string().optional(),
  name: z.string().optional(),
  input: z.unknown().optional(),
});

/** A whole answer. */
export const messageSchema = z.object({
  id: z.string(),
  model: z.string(),
  content: z.array(blockSchema),
  stop_reason: z.string().nullish(),
  usage: usageSchema.nullish(),
});

/** One event of a stream; those of other types are passed over. */
export const eventSchema = z.object({
  type: z.string(),
  index: z.int().min(0).optional(),
  message: messageSchema.partial().optional(),
  content_block: blockSchema.optional(),
  delta: z
    .object({ text: z.string().optional(), partial_json: z.string().optional(), stop_reason: z.string().nullish() })
    .optional(),
  usage: usageSchema.nullish(),
});

const FINISHES: Record<string, ModelFinish> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  refusal: 'filtered',
};

/** Takes a whole answer. */
export function takeMessage(message: z.infer<typeof messageSchema>, builder: ResultBuilder): void {
  takeHead(message, builder);
  takeFinish(message.stop_reason, builder);
  let calls = 0;
  for (const block of message.content) {
    if (block.type === 'text') builder.text(block.text);
    else if (block.type === 'tool_use')
      builder.call(calls++, { id: block.id, tool: block.name, arguments: JSON.stringify(block.input ?? {}) });
  }
}

/** Reads the events of one stream. */
export class MessageStream {
  readonly #builder: ResultBuilder;
  /** Calls by the index of their block, with whether they have arguments yet. */
  readonly #calls = new Map<number, { index: number; isEmpty: boolean }>();
  /** `message_stop` came. */
  isComplete = false;

  constructor(builder: ResultBuilder) {
    this.#builder = builder;
  }

  /** Takes an event; returns what is new in it. */
  take(event: z.infer<typeof eventSchema>): ModelEvent[] {
    const builder = this.#builder;
    const { index = 0, delta, content_block: block } = event;
    switch (event.type) {
      case 'message_start':
        takeHead(event.message ?? {}, builder);
        return [];
      case 'content_block_start': {
        if (block?.type !== 'tool_use') return some(builder.text(block?.text));
        const call = { index: this.#calls.size, isEmpty: true };
        this.#calls.set(index, call);
        return [builder.call(call.index, { id: block.id, tool: block.name })];
      }
      case 'content_block_delta':
        return delta?.partial_json === undefined ? some(builder.text(delta?.text)) : this.#arguments(index, delta.partial_json);
      case 'content_block_stop':
        // A call without arguments has no piece of them.
        return this.#calls.get(index)?.isEmpty ? this.#arguments(index, '{}') : [];
      case 'message_delta':
        takeFinish(delta?.stop_reason, builder);
        takeUsage(event.usage, builder);
        return [];
      case 'message_stop':
        this.isComplete = true;
        return [];
      default:
        return [];
    }
  }

  #arguments(block: number, text: string): ModelEvent[] {
    const call = this.#calls.get(block);
    if (call === undefined || text === '') return [];
    call.isEmpty = false;
    return [this.#builder.call(call.index, { arguments: text })];
  }
}

function takeHead({ id, model, usage }: Partial<z.infer<typeof messageSchema>>, builder: ResultBuilder): void {
  if (id !== undefined) builder.id = id;
  if (model !== undefined) builder.model = model;
  takeUsage(usage, builder);
}

function takeFinish(reason: string | null | undefined, builder: ResultBuilder): void {
  if (reason) builder.finish = FINISHES[reason] ?? 'stop';
}

/** Counts of later events add to those before: the end of a stream says only what was written. */
function takeUsage(usage: Usage | null | undefined, builder: ResultBuilder): void {
  if (!usage) return;
  const before = builder.usage;
  const {
    input_tokens: read,
    output_tokens: written,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: made,
  } = usage;
  // Its input tokens are those that the cache neither gave nor took.
  const tokensIn = typeof read === 'number' ? read + (cached ?? 0) + (made ?? 0) : undefined;
  const cachedTokensIn = typeof read === 'number' ? (cached ?? undefined) : before?.cachedTokensIn;
  builder.usage = {
    tokensIn: tokensIn ?? before?.tokensIn ?? 0,
    tokensOut: written ?? before?.tokensOut ?? 0,
    ...(cachedTokensIn !== undefined && { cachedTokensIn }),
  };
}

function some(event: ModelEvent | undefined): ModelEvent[] {
  return event === undefined ? [] : [event];
}
