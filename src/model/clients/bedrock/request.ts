/** Requests in the form of Bedrock's Converse. */
import type {
  ContentBlock,
  ConverseCommandInput,
  ImageFormat,
  SystemContentBlock,
  Tool,
  ToolChoice,
} from '@aws-sdk/client-bedrock-runtime';
import { MillraceError } from '../../../errors.ts';
import type { ModelRequest } from '../../model.ts';
import { argumentsOf, dataOf, turnsOf, type BlockForms } from '../turns.ts';

/** Values of JSON, as the library types them. */
type Document = NonNullable<Extract<ContentBlock, { toolUse: object }>['toolUse']['input']>;

const FORMS: BlockForms<ContentBlock> = {
  text: (text) => ({ text }),
  image(url) {
    const data = dataOf(url);
    if (data === undefined)
      throw new MillraceError('invalid_argument', 'Bedrock takes images as data:image/…;base64,… only: it reads no addresses', {
        field: 'messages.content.url',
      });
    const format = data.mediaType.replace('image/', '') as ImageFormat;
    return { image: { format, source: { bytes: Buffer.from(data.base64, 'base64') } } };
  },
  call: (call) => ({ toolUse: { toolUseId: call.id, name: call.tool, input: argumentsOf(call) as Document } }),
  result: ({ id, content }) => ({ toolResult: { toolUseId: id, content: [{ text: content }] } }),
};

/** The input of a command. Seeds, log-probabilities and token ids are not known there. */
export function converseInput(model: string, request: ModelRequest): ConverseCommandInput {
  const { tools = [], toolChoice = 'auto', output, temperature, topP, maxTokens, stop = [] } = request;
  const { system, turns } = turnsOf(request.messages, FORMS);
  const inferenceConfig = {
    ...(maxTokens !== undefined && { maxTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(stop.length > 0 && { stopSequences: [...stop] }),
  };
  return {
    modelId: model,
    messages: turns,
    ...(system !== '' && { system: [{ text: system }] as SystemContentBlock[] }),
    ...(Object.keys(inferenceConfig).length > 0 && { inferenceConfig }),
    // It has no way to forbid calls but to show no tools.
    ...(tools.length > 0 && toolChoice !== 'none' && { toolConfig: toolConfig(tools, toolChoice) }),
    ...(output !== undefined && {
      outputConfig: {
        textFormat: {
          type: 'json_schema' as const,
          structure: { jsonSchema: { name: output.name, schema: JSON.stringify(output.schema) } },
        },
      },
    }),
  };
}

function toolConfig(
  tools: NonNullable<ModelRequest['tools']>,
  choice: Exclude<ModelRequest['toolChoice'], undefined | 'none'>,
): { tools: Tool[]; toolChoice?: ToolChoice } {
  const described = tools.map(({ name, description, parameters }): Tool => {
    return { toolSpec: { name, description, inputSchema: { json: parameters as Document } } };
  });
  if (choice === 'auto') return { tools: described };
  return { tools: described, toolChoice: choice === 'required' ? { any: {} } : { tool: { name: choice.tool } } };
}
