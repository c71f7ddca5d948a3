/** Requests in the form of Anthropic's Messages. */
import type { ModelRequest } from '../../model.ts';
import { argumentsOf, dataOf, turnsOf, type BlockForms } from '../turns.ts';

/** Its API wants a longest length; this one where the request has none. */
const DEFAULT_MAX_TOKENS = 4096;

type Block = Record<string, unknown>;

const FORMS: BlockForms<Block> = {
  text: (text) => ({ type: 'text', text }),
  image(url) {
    const data = dataOf(url);
    const source = data === undefined ? { type: 'url', url } : { type: 'base64', media_type: data.mediaType, data: data.base64 };
    return { type: 'image', source };
  },
  call: (call) => ({ type: 'tool_use', id: call.id, name: call.tool, input: argumentsOf(call) }),
  result: ({ id, content }) => ({ type: 'tool_result', tool_use_id: id, content }),
};

/** The body of a request. Seeds, log-probabilities and token ids are not known there. */
export function anthropicBody(model: string, request: ModelRequest, stream: boolean): Record<string, unknown> {
  const { tools = [], toolChoice, output, temperature, topP, maxTokens = DEFAULT_MAX_TOKENS, stop } = request;
  const { system, turns } = turnsOf(request.messages, FORMS);
  return {
    ...{ model, max_tokens: maxTokens, messages: turns },
    ...(system !== '' && { system }),
    ...(tools.length > 0 && {
      tools: tools.map(({ name, description, parameters }) => ({ name, description, input_schema: parameters })),
    }),
    ...(tools.length > 0 && toolChoice !== undefined && { tool_choice: choiceOf(toolChoice) }),
    ...(output !== undefined && { output_config: { format: { type: 'json_schema', schema: output.schema } } }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(stop !== undefined && stop.length > 0 && { stop_sequences: stop }),
    ...(stream && { stream: true }),
  };
}

function choiceOf(choice: NonNullable<ModelRequest['toolChoice']>): Block {
  if (typeof choice === 'object') return { type: 'tool', name: choice.tool };
  return { type: choice === 'required' ? 'any' : choice };
}
