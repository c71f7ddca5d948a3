import { z } from 'zod';
import type { ModelFinish, ModelRequest } from '../model.ts';
import { messagesOfBlocks, type Block } from './blocks.ts';
import type { Dialect, DialectEvent, DialectRequest } from './dialect.ts';
import { callsOf, finishOf, piecesOf, usageOf, type ScriptedReply } from './script.ts';

const blockSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string().min(1) }),
  z.strictObject({
    type: z.literal('image'),
    source: z.union([
      z.strictObject({ type: z.literal('url'), url: z.string() }),
      z.strictObject({ type: z.literal('base64'), media_type: z.string(), data: z.string() }),
    ]),
  }),
  z.strictObject({ type: z.literal('tool_use'), id: z.string(), name: z.string(), input: z.record(z.string(), z.unknown()) }),
  z.strictObject({ type: z.literal('tool_result'), tool_use_id: z.string(), content: z.string() }),
]);

/** Strict: a field that the provider does not know is a mistake of the client. */
const requestSchema = z.strictObject({
  model: z.string(),
  max_tokens: z.int().min(1),
  messages: z.array(z.strictObject({ role: z.enum(['user', 'assistant']), content: z.array(blockSchema).min(1) })).min(1),
  system: z.string().optional(),
  tools: z
    .array(z.strictObject({ name: z.string(), description: z.string(), input_schema: z.record(z.string(), z.unknown()) }))
    .optional(),
  tool_choice: z.strictObject({ type: z.enum(['auto', 'any', 'none', 'tool']), name: z.string().optional() }).optional(),
  output_config: z
    .strictObject({ format: z.strictObject({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) }) })
    .optional(),
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().optional(),
  stop_sequences: z.array(z.string()).optional(),
  stream: z.boolean().optional(),
});

const FINISHES: Record<ModelFinish, string> = {
  stop: 'end_turn',
  tool_calls: 'tool_use',
  length: 'max_tokens',
  filtered: 'refusal',
};

/** Messages of Anthropic. */
export const anthropicDialect: Dialect = {
  matches: (path) => path.endsWith('/messages'),
  read,
  answer: (reply, asked) => ({
    ...headOf(asked),
    content: [
      ...(reply.text === undefined ? [] : [{ type: 'text', text: reply.text }]),
      ...callsOf(reply).map(({ id, tool, arguments: args }) => ({
        ...{ type: 'tool_use', id, name: tool },
        input: JSON.parse(args) as unknown,
      })),
    ],
    stop_reason: FINISHES[finishOf(reply)],
    usage: wireUsage(reply, asked),
  }),
  *events(reply, asked): Generator<DialectEvent> {
    const usage = wireUsage(reply, asked);
    yield event('message_start', { message: { ...headOf(asked), content: [], usage: usage && { ...usage, output_tokens: 1 } } });
    yield event('ping', {});
    let index = 0;
    if (reply.text !== undefined) {
      yield event('content_block_start', { index, content_block: { type: 'text', text: '' } });
      for (const text of piecesOf(reply.text, reply.pieceLength))
        yield event('content_block_delta', { index, delta: { type: 'text_delta', text } }, true);
      yield event('content_block_stop', { index });
      index += 1;
    }
    for (const { id, tool, arguments: args } of callsOf(reply)) {
      yield event('content_block_start', { index, content_block: { type: 'tool_use', id, name: tool, input: {} } }, true);
      for (const piece of args === '{}' ? [''] : piecesOf(args, reply.pieceLength))
        yield event('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: piece } }, true);
      yield event('content_block_stop', { index });
      index += 1;
    }
    const written = usage && { output_tokens: usage.output_tokens };
    yield event('message_delta', { delta: { stop_reason: FINISHES[finishOf(reply)] }, usage: written });
    yield event('message_stop', {});
  },
  malformedEvent: 'event: content_block_delta\ndata: {"type": "content\n\n',
  error: (status, message) => ({ type: 'error', error: { type: `scripted_${status}`, message } }),
};

function event(type: string, fields: object, isPiece = false): DialectEvent {
  return { data: `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`, isPiece };
}

function headOf({ model }: DialectRequest): object {
  return { id: 'msg_scripted', type: 'message', role: 'assistant', model };
}

function wireUsage(
  reply: ScriptedReply,
  { request }: DialectRequest,
): { input_tokens: number; output_tokens: number; cache_read_input_tokens?: number } | undefined {
  const usage = usageOf(reply, request);
  if (usage === undefined) return undefined;
  const { tokensIn, tokensOut, cachedTokensIn } = usage;
  return {
    input_tokens: tokensIn - (cachedTokensIn ?? 0),
    output_tokens: tokensOut,
    ...(cachedTokensIn !== undefined && { cache_read_input_tokens: cachedTokensIn }),
  };
}

function read(body: unknown): DialectRequest {
  const asked = requestSchema.parse(body);
  const { system, tools, tool_choice: choice, output_config: output, temperature, stop_sequences: stop } = asked;
  const toolNames = new Map<string, string>();
  const choices = { auto: 'auto', any: 'required', none: 'none' } as const;
  const request: ModelRequest = {
    messages: [
      ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
      ...asked.messages.flatMap(({ role, content }) => messagesOfBlocks(role, content.map(blockOf), toolNames)),
    ],
    ...(tools !== undefined && { tools: tools.map(({ input_schema: parameters, ...tool }) => ({ ...tool, parameters })) }),
    ...(choice !== undefined && { toolChoice: choice.type === 'tool' ? { tool: choice.name ?? '' } : choices[choice.type] }),
    ...(output !== undefined && { output: { name: 'answer', schema: output.format.schema } }),
    ...(temperature !== undefined && { temperature }),
    ...(asked.top_p !== undefined && { topP: asked.top_p }),
    maxTokens: asked.max_tokens,
    ...(stop !== undefined && { stop }),
  };
  return { request, model: asked.model, stream: asked.stream ?? false };
}

function blockOf(block: z.infer<typeof blockSchema>): Block {
  switch (block.type) {
    case 'text':
      return { kind: 'text', text: block.text };
    case 'image': {
      const { source } = block;
      return { kind: 'image', url: source.type === 'url' ? source.url : `data:${source.media_type};base64,${source.data}` };
    }
    case 'tool_use':
      return { kind: 'call', id: block.id, tool: block.name, input: block.input };
    case 'tool_result':
      return { kind: 'result', id: block.tool_use_id, content: block.content };
  }
}
