/** Conversations as OpenAI's fine-tuning takes them, one a line of a file, as a policy is to imitate them. */
import { z } from 'zod';
import type { Json } from '../../flow/define.ts';
import type { Message } from '../../base-model/chat/conversation.ts';

/** A call of a demonstration, and what came of it. */
export interface ShownCall {
  tool: string;
  /** As they were written. */
  arguments: Json;
  result: string;
}

/** One message of the assistant, and what it is followed by. */
export interface ShownTurn {
  content: string;
  calls: ShownCall[];
  /** What the user said then. */
  next?: string;
}

/** A conversation to imitate. */
export interface Demonstration {
  id: string;
  /** Conversations of one task are on the same side of the held-out split. */
  task: string;
  /** The messages before the first one of the assistant. */
  before: Message[];
  turns: ShownTurn[];
}

/** A text, or its parts. */
const text = z.union([z.string(), z.array(z.looseObject({ type: z.literal('text'), text: z.string() }))], {
  error: 'expected a text, or parts of type text',
});

const call = z.looseObject({
  id: z.string().optional(),
  function: z.looseObject({ name: z.string(), arguments: z.union([z.string(), z.record(z.string(), z.unknown())]) }),
});

const message = z.discriminatedUnion(
  'role',
  [
    z.looseObject({ role: z.enum(['system', 'developer', 'user']), content: text }),
    z.looseObject({
      role: z.literal('assistant'),
      content: text.nullish(),
      tool_calls: z.array(call).optional(),
      weight: z.literal(1, { error: 'expected 1: every message of the assistant is imitated' }).optional(),
      function_call: z.undefined({ error: 'is not read: write it in tool_calls' }).optional(),
    }),
    z.looseObject({ role: z.literal('tool'), content: text, tool_call_id: z.string().optional() }),
  ],
  { error: 'expected system, developer, user, assistant or tool' },
);

/** A line of the file. */
export const conversationLine = z.looseObject({
  id: z.string(),
  task: z.string().optional(),
  messages: z.array(message).min(1),
  tools: z.array(z.looseObject({ function: z.looseObject({ name: z.string() }) })).optional(),
});

type ConversationLine = z.infer<typeof conversationLine>;
/** One of its messages. */
export type LineMessage = ConversationLine['messages'][number];
