import { Template } from '@huggingface/jinja';
import { MillraceError } from '../../errors.ts';

/** A message of a conversation; templates may use other keys, such as `tool_calls`. */
export interface ChatMessage {
  role: string;
  content: string;
  [key: string]: unknown;
}

/** What a template is given besides the messages. */
export interface ChatOptions {
  /** Tools as JSON schemas, in the form that the model's template expects. */
  tools?: readonly unknown[];
  /** Whether the text ends where the assistant's answer begins. Default: true. */
  prompt?: boolean;
}

/** Renders a conversation as the model was trained with. */
export type ChatTemplate = (messages: readonly ChatMessage[], options?: ChatOptions) => string;

/**
 * Makes a chat template. Rendering throws `invalid_argument` with what the template says about messages that it does not take, e.g. roles that do not
 * alternate.
 *
 * @param source - Jinja, as transformers uses it
 * @param tokens - special tokens by name: `bos_token`, `eos_token`
 * @param path - what errors call it
 */
export function createChatTemplate(source: string, tokens: Readonly<Record<string, string>>, path: string): ChatTemplate {
  let template: Template;
  try {
    template = new Template(source);
  } catch (error) {
    throw new MillraceError('data_loss', `${path}: the chat template cannot be parsed: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return (messages, { tools, prompt = true } = {}) => {
    try {
      return template.render({ messages, add_generation_prompt: prompt, ...(tools && { tools }), ...tokens });
    } catch (error) {
      throw new MillraceError(
        'invalid_argument',
        `the chat template of ${path} refuses the messages: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  };
}
