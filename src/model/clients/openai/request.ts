/** Requests in the form of OpenAI's chat completions. */
import type { ModelMessage, ModelRequest } from '../../model.ts';

/** Where a server differs from the common form. */
export interface OpenAiDialect {
  /** Field of the longest length. Default `max_completion_tokens` at api.openai.com, else `max_tokens`. */
  maxTokensField?: 'max_tokens' | 'max_completion_tokens' | undefined;
}

/** The body of a request. */
export function openAiBody(
  model: string,
  request: ModelRequest,
  { stream, maxTokensField = 'max_tokens' }: OpenAiDialect & { stream: boolean },
): Record<string, unknown> {
  const { tools = [], toolChoice, output, temperature, topP, maxTokens, stop, seed, logProbabilities, tokenIds } = request;
  return {
    model,
    messages: request.messages.map(messageOf),
    ...(tools.length > 0 && { tools: tools.map((tool) => ({ type: 'function', function: tool })) }),
    ...(tools.length > 0 && toolChoice !== undefined && { tool_choice: choiceOf(toolChoice) }),
    ...(output !== undefined && {
      response_format: { type: 'json_schema', json_schema: { name: output.name, schema: output.schema, strict: true } },
    }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(maxTokens !== undefined && { [maxTokensField]: maxTokens }),
    ...(stop !== undefined && stop.length > 0 && { stop }),
    ...(seed !== undefined && { seed }),
    ...(logProbabilities === true && { logprobs: true }),
    // vLLM's name for it; others refuse or ignore it, so it is sent only where it is wanted.
    ...(tokenIds === true && { return_token_ids: true }),
    ...(stream && { stream: true, stream_options: { include_usage: true } }),
  };
}

function messageOf(message: ModelMessage): Record<string, unknown> {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.content };
    case 'user':
      return { role: 'user', content: contentOf(message.content) };
    case 'assistant': {
      const { content, calls = [] } = message;
      if (calls.length === 0) return { role: 'assistant', content };
      return {
        role: 'assistant',
        content: content === '' ? null : content,
        tool_calls: calls.map(({ id, tool, arguments: args }) => ({
          id,
          type: 'function',
          function: { name: tool, arguments: args },
        })),
      };
    }
    case 'tool':
      return { role: 'tool', tool_call_id: message.id, content: message.content };
  }
}

function contentOf(content: Extract<ModelMessage, { role: 'user' }>['content']): unknown {
  if (typeof content === 'string') return content;
  return content.map((part) =>
    part.type === 'text' ? { type: 'text', text: part.text } : { type: 'image_url', image_url: { url: part.url } },
  );
}

function choiceOf(choice: NonNullable<ModelRequest['toolChoice']>): unknown {
  return typeof choice === 'string' ? choice : { type: 'function', function: { name: choice.tool } };
}
