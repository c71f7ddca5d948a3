/** Conversations for providers that know two sides, each of which speaks in blocks. */
import type { ContentPart, ModelCall, ModelMessage } from '../model.ts';

/** What one side says; results of tools are said by the user. */
export interface SideTurn<B> {
  role: 'user' | 'assistant';
  content: B[];
}

/** How a provider writes each kind of block. */
export interface BlockForms<B> {
  text(text: string): B;
  image(url: string): B;
  call(call: ModelCall): B;
  result(result: { id: string; content: string }): B;
}

/** The conversation in turns of two sides, and what the system says before it. Messages of one side after each other become one turn. */
export function turnsOf<B>(messages: readonly ModelMessage[], forms: BlockForms<B>): { system: string; turns: SideTurn<B>[] } {
  const system: string[] = [];
  const turns: SideTurn<B>[] = [];
  for (const message of messages) {
    if (message.role === 'system') {
      system.push(message.content);
      continue;
    }
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const content = blocksOf(message, forms);
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...content);
    else turns.push({ role, content });
  }
  return { system: system.join('\n\n'), turns };
}

function blocksOf<B>(message: Exclude<ModelMessage, { role: 'system' }>, forms: BlockForms<B>): B[] {
  switch (message.role) {
    case 'user': {
      const { content } = message;
      const parts: readonly ContentPart[] = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
      return parts.map((part) => (part.type === 'text' ? forms.text(part.text) : forms.image(part.url)));
    }
    case 'assistant':
      return [
        // A text that is empty is refused as a block.
        ...(message.content === '' ? [] : [forms.text(message.content)]),
        ...(message.calls ?? []).map((call) => forms.call(call)),
      ];
    case 'tool':
      return [forms.result(message)];
  }
}

/** Arguments of a call as the object that these providers want; of a call that cannot be read, the text under `unreadable`. */
export function argumentsOf({ arguments: text }: ModelCall): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Shown to the model as what it wrote.
  }
  return { unreadable: text };
}

/** An image that is in its address: `data:image/png;base64,…`; undefined for any other address. */
export function dataOf(url: string): { mediaType: string; base64: string } | undefined {
  const match = /^data:(image\/[\w.+-]+);base64,(.*)$/s.exec(url);
  return match === null ? undefined : { mediaType: match[1]!, base64: match[2]! };
}
