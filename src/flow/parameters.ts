import { z } from 'zod';
import type { JsonSchema } from '../base-model/chat/conversation.ts';

/**
 * JSON schema of what a tool takes, as policies that write its arguments are told of it. What JSON schema has no word for (a transform, a
 * check of one's own) is left out; `{}` where nothing can be told, as of schemas of another library.
 */
export function parametersOf(schema: z.ZodType): JsonSchema {
  try {
    const { $schema: _, ...parameters } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    return parameters;
  } catch {
    return {};
  }
}
