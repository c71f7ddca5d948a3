import { z } from 'zod';
import type { ModelMessage, ModelRequest } from '../model.ts';
import type { DialectRequest } from './dialect.ts';

const partSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({ type: z.literal('image_url'), image_url: z.strictObject({ url: z.string() }) }),
]);
const functionCall = z.strictObject({ name: z.string(), arguments: z.string() });

const messageSchema = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: z.string() }),
  z.strictObject({ role: z.literal('user'), content: z.union([z.string(), z.array(partSchema)]) }),
  z.strictObject({
    role: z.literal('assistant'),
    content: z.string().nullable(),
    tool_calls: z.array(z.strictObject({ id: z.string(), type: z.literal('function'), function: functionCall })).optional(),
  }),
  z.strictObject({ role: z.literal('tool'), tool_call_id: z.string(), content: z.string() }),
]);

/** Strict: a field that no provider knows is a mistake of the client. */
const requestSchema = z.strictObject({
  model: z.string(),
  messages: z.array(messageSchema).min(1),
  tools: z
    .array(
      z.strictObject({
        type: z.literal('function'),
        function: z.strictObject({ name: z.string(), description: z.string(), parameters: z.record(z.string(), z.unknown()) }),
      }),
    )
    .optional(),
  tool_choice: z
    .union([
      z.enum(['auto', 'none', 'required']),
      z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: z.string() }) }),
    ])
    .optional(),
  response_format: z
    .strictObject({
      type: z.literal('json_schema'),
      json_schema: z.strictObject({
        name: z.string().regex(/^[\w-]{1,64}$/),
        schema: z.record(z.string(), z.unknown()),
        strict: z.boolean(),
      }),
    })
    .optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().optional(),
  max_tokens: z.int().min(1).optional(),
  max_completion_tokens: z.int().min(1).optional(),
  stop: z.array(z.string()).optional(),
  seed: z.int().optional(),
  logprobs: z.boolean().optional(),
  return_token_ids: z.boolean().optional(),
  stream: z.boolean().optional(),
  stream_options: z.strictObject({ include_usage: z.boolean() }).optional(),
});

/** What a request in the form of chat completions asks. */
export function readOpenAi(body: unknown): DialectRequest {
  const asked = requestSchema.parse(body);
  const { temperature, seed, stop, response_format: format, tools, tool_choice: choice } = asked;
  const maxTokens = asked.max_tokens ?? asked.max_completion_tokens;
  const toolNames = new Map<string, string>();
  const request: ModelRequest = {
    messages: asked.messages.map((message) => messageOf(message, toolNames)),
    ...(tools !== undefined && { tools: tools.map((tool) => tool.function) }),
    ...(choice !== undefined && { toolChoice: typeof choice === 'string' ? choice : { tool: choice.function.name } }),
    ...(format !== undefined && { output: { name: format.json_schema.name, schema: format.json_schema.schema } }),
    ...(temperature !== undefined && { temperature }),
    ...(asked.top_p !== undefined && { topP: asked.top_p }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(stop !== undefined && { stop }),
    ...(seed !== undefined && { seed }),
    ...(asked.logprobs === true && { logProbabilities: true }),
    ...(asked.return_token_ids === true && { tokenIds: true }),
  };
  return { request, model: asked.model, stream: asked.stream ?? false };
}

/** @param toolNames - tools by the ids of their calls: results do not say them */
function messageOf(message: z.infer<typeof messageSchema>, toolNames: Map<string, string>): ModelMessage {
  switch (message.role) {
    case 'system':
      return message;
    case 'user': {
      const { content } = message;
      if (typeof content === 'string') return { role: 'user', content };
      const parts = content.map((part) => (part.type === 'text' ? part : { type: 'image' as const, url: part.image_url.url }));
      return { role: 'user', content: parts };
    }
    case 'assistant': {
      const calls = message.tool_calls?.map((call) => {
        toolNames.set(call.id, call.function.name);
        return { id: call.id, tool: call.function.name, arguments: call.function.arguments };
      });
      return { role: 'assistant', content: message.content ?? '', ...(calls !== undefined && { calls }) };
    }
    case 'tool': {
      const { tool_call_id: id, content } = message;
      return { role: 'tool', id, tool: toolNames.get(id) ?? '', content };
    }
  }
}
