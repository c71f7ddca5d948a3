import { z } from 'zod';
import { nodeEndSchema } from '../node-end.ts';
import { nodeSettingsSchema, type NodeSettings } from './node.ts';

/** What is known of the processes that ran under a node's id before. */
const historySchema = z.strictObject({
  /** The one before this died: its work may be what killed it. */
  afterCrash: z.boolean().default(false),
  /** One of them was up: what a person must change is waited for. */
  wasUp: z.boolean().default(false),
  /** How the last one died. Default: it did not, or nobody knows. */
  previousEnd: nodeEndSchema.optional(),
});

/** A node's past; nothing by default. */
export type NodeHistory = z.infer<typeof historySchema>;

const startSchema = z.strictObject({
  kind: z.literal('start'),
  settings: nodeSettingsSchema,
  history: historySchema.prefault({}),
});

/** The first message to a node process. It goes over IPC: other accounts can read arguments, and what a flow starts inherits the environment. */
export type StartMessage = z.input<typeof startSchema>;

/**
 * Checks what a process was sent. Rejects with `invalid_argument`, with a line for each problem: its field, what was got and what is allowed.
 */
export function checkStart(message: unknown): Promise<z.output<typeof startSchema>> {
  return checked(startSchema, message, 'start message');
}

/** Checks the settings of a node that a person wrote in `what`, as {@link checkStart} does. */
export function checkNodeSettings(value: unknown, what: string): Promise<NodeSettings> {
  return checked(nodeSettingsSchema, value, what);
}

/** What words a problem, and YAML with it, is loaded when there is one: every node starts here. */
async function checked<T extends z.ZodType>(schema: T, value: unknown, what: string): Promise<z.output<T>> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { check } = await import('../../../src/config/problems.ts');
  return check(schema, value, what, () => undefined);
}
