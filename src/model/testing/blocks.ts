import type { ContentPart, ModelMessage } from '../model.ts';

/** A block of a message, whatever form the provider has for it. */
export type Block =
  | { kind: 'text'; text: string }
  | { kind: 'image'; url: string }
  | { kind: 'call'; id: string; tool: string; input: unknown }
  | { kind: 'result'; id: string; content: string };

/**
 * A turn of blocks as the messages that it was made from: results first, then what the user says; a text alone is no list of parts.
 *
 * @param toolNames - tools by the ids of their calls: results do not say them
 */
export function messagesOfBlocks(
  role: 'user' | 'assistant',
  blocks: readonly Block[],
  toolNames: Map<string, string>,
): ModelMessage[] {
  const texts = blocks.filter((block) => block.kind === 'text');
  if (role === 'assistant') {
    const calls = blocks
      .filter((block) => block.kind === 'call')
      .map(({ id, tool, input }) => {
        toolNames.set(id, tool);
        return { id, tool, arguments: JSON.stringify(input) };
      });
    return [{ role, content: texts.map(({ text }) => text).join(''), ...(calls.length > 0 && { calls }) }];
  }
  const results = blocks
    .filter((block) => block.kind === 'result')
    .map(({ id, content }): ModelMessage => ({ role: 'tool', id, tool: toolNames.get(id) ?? '', content }));
  const parts = blocks.flatMap((block): ContentPart[] => {
    if (block.kind === 'text') return [{ type: 'text', text: block.text }];
    return block.kind === 'image' ? [{ type: 'image', url: block.url }] : [];
  });
  if (parts.length === 0) return results;
  const [first] = parts;
  return [...results, { role, content: parts.length === 1 && first?.type === 'text' ? first.text : parts }];
}
