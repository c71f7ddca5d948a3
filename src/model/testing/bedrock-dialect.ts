import { z } from 'zod';
import type { ModelFinish, ModelRequest } from '../model.ts';
import { messagesOfBlocks, type Block } from './blocks.ts';
import type { Dialect, DialectEvent, DialectRequest } from './dialect.ts';
import { eventStreamMessage } from './event-stream.ts';
import { callsOf, finishOf, piecesOf, usageOf, type ScriptedReply } from './script.ts';

const json = z.record(z.string(), z.unknown());
const blockSchema = z.union([
  z.strictObject({ text: z.string().min(1) }),
  z.strictObject({ image: z.strictObject({ format: z.string(), source: z.strictObject({ bytes: z.string() }) }) }),
  z.strictObject({ toolUse: z.strictObject({ toolUseId: z.string(), name: z.string(), input: json }) }),
  z.strictObject({
    toolResult: z.strictObject({ toolUseId: z.string(), content: z.array(z.strictObject({ text: z.string() })).length(1) }),
  }),
]);
const toolChoiceSchema = z.union([
  z.strictObject({ any: z.strictObject({}) }),
  z.strictObject({ tool: z.strictObject({ name: z.string() }) }),
]);

/** Strict: a field that the provider does not know is a mistake of the client. */
const requestSchema = z.strictObject({
  messages: z.array(z.strictObject({ role: z.enum(['user', 'assistant']), content: z.array(blockSchema).min(1) })).min(1),
  system: z.array(z.strictObject({ text: z.string() })).optional(),
  inferenceConfig: z
    .strictObject({
      maxTokens: z.int().min(1).optional(),
      temperature: z.number().optional(),
      topP: z.number().optional(),
      stopSequences: z.array(z.string()).optional(),
    })
    .optional(),
  toolConfig: z
    .strictObject({
      tools: z.array(
        z.strictObject({
          toolSpec: z.strictObject({ name: z.string(), description: z.string(), inputSchema: z.strictObject({ json }) }),
        }),
      ),
      toolChoice: toolChoiceSchema.optional(),
    })
    .optional(),
  outputConfig: z
    .strictObject({
      textFormat: z.strictObject({
        type: z.literal('json_schema'),
        structure: z.strictObject({ jsonSchema: z.strictObject({ name: z.string(), schema: z.string() }) }),
      }),
    })
    .optional(),
});

const FINISHES: Record<ModelFinish, string> = {
  stop: 'end_turn',
  tool_calls: 'tool_use',
  length: 'max_tokens',
  filtered: 'content_filtered',
};

/** Converse of Bedrock. */
export const bedrockDialect: Dialect = {
  matches: (path) => /^\/model\/[^/]+\/converse(-stream)?$/.test(path),
  streamType: 'application/vnd.amazon.eventstream',
  read,
  answer: (reply, asked) => ({
    output: {
      message: {
        role: 'assistant',
        content: [
          ...(reply.text === undefined ? [] : [{ text: reply.text }]),
          ...callsOf(reply).map(({ id, tool, arguments: args }) => ({
            toolUse: { toolUseId: id, name: tool, input: JSON.parse(args) as unknown },
          })),
        ],
      },
    },
    stopReason: FINISHES[finishOf(reply)],
    usage: wireUsage(reply, asked),
    metrics: { latencyMs: 0 },
  }),
  *events(reply, asked): Generator<DialectEvent> {
    yield event('messageStart', { role: 'assistant' });
    let block = 0;
    for (const text of piecesOf(reply.text ?? '', reply.pieceLength))
      yield event('contentBlockDelta', { contentBlockIndex: block, delta: { text } }, true);
    if (reply.text !== undefined) yield event('contentBlockStop', { contentBlockIndex: block++ });
    for (const { id, tool, arguments: args } of callsOf(reply)) {
      const start = { toolUse: { toolUseId: id, name: tool } };
      yield event('contentBlockStart', { contentBlockIndex: block, start }, true);
      for (const input of args === '{}' ? [] : piecesOf(args, reply.pieceLength))
        yield event('contentBlockDelta', { contentBlockIndex: block, delta: { toolUse: { input } } }, true);
      yield event('contentBlockStop', { contentBlockIndex: block++ });
    }
    yield event('messageStop', { stopReason: FINISHES[finishOf(reply)] });
    const usage = wireUsage(reply, asked);
    if (usage !== undefined) yield event('metadata', { usage, metrics: { latencyMs: 0 } });
  },
  malformedEvent: Buffer.from('this is no message of an event stream, whatever its length says'),
  error: (_, message) => ({ message }),
};

function event(type: string, content: object, isPiece = false): DialectEvent {
  const headers = { ':message-type': 'event', ':event-type': type, ':content-type': 'application/json' };
  return { data: eventStreamMessage(headers, content), isPiece };
}

function wireUsage(reply: ScriptedReply, { request }: DialectRequest): object | undefined {
  const usage = usageOf(reply, request);
  if (usage === undefined) return undefined;
  const { tokensIn, tokensOut, cachedTokensIn } = usage;
  return {
    inputTokens: tokensIn - (cachedTokensIn ?? 0),
    outputTokens: tokensOut,
    totalTokens: tokensIn + tokensOut,
    ...(cachedTokensIn !== undefined && { cacheReadInputTokens: cachedTokensIn }),
  };
}

function read(body: unknown, path: string): DialectRequest {
  const { messages, system, inferenceConfig: config = {}, toolConfig, outputConfig } = requestSchema.parse(body);
  const toolNames = new Map<string, string>();
  const choice = toolConfig?.toolChoice;
  const output = outputConfig?.textFormat.structure.jsonSchema;
  const { stopSequences: stop, ...settings } = config;
  const request: ModelRequest = {
    messages: [
      ...(system ?? []).map(({ text }) => ({ role: 'system' as const, content: text })),
      ...messages.flatMap(({ role, content }) => messagesOfBlocks(role, content.map(blockOf), toolNames)),
    ],
    ...(toolConfig !== undefined && {
      tools: toolConfig.tools.map(({ toolSpec: { name, description, inputSchema } }) => {
        return { name, description, parameters: inputSchema.json };
      }),
    }),
    ...(choice !== undefined && { toolChoice: 'any' in choice ? 'required' : { tool: choice.tool.name } }),
    ...(output !== undefined && { output: { name: output.name, schema: JSON.parse(output.schema) as Record<string, unknown> } }),
    ...settings,
    ...(stop !== undefined && { stop }),
  };
  const [, model = '', verb] = /^\/model\/([^/]+)\/(.*)$/.exec(path) ?? [];
  return { request, model: decodeURIComponent(model), stream: verb === 'converse-stream' };
}

function blockOf(block: z.infer<typeof blockSchema>): Block {
  if ('text' in block) return { kind: 'text', text: block.text };
  if ('image' in block) return { kind: 'image', url: `data:image/${block.image.format};base64,${block.image.source.bytes}` };
  if ('toolUse' in block) {
    const { toolUseId: id, name: tool, input } = block.toolUse;
    return { kind: 'call', id, tool, input };
  }
  const { toolUseId: id, content } = block.toolResult;
  return { kind: 'result', id, content: content[0]!.text };
}
