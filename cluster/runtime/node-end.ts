import { z } from 'zod';

/** What a node's black box says after the node has ended: the activity that was its last (`ActivityLabel`). */
const lastActivity = z.strictObject({
  job: z.string(),
  flow: z.string(),
  task: z.string(),
  part: z.string(),
  /** Its code ran at that moment; false: it was the last that had run. */
  running: z.boolean(),
  /** When it began or went on, in Unix milliseconds. */
  at: z.number(),
});

/** The last activity of a node that has ended. */
export type LastActivity = z.infer<typeof lastActivity>;

/** How a node's process ended, as the supervisor saw it. */
export const nodeEndSchema = z.strictObject({
  /** "SIGKILL", "exit code 1"; how long it did not answer when the supervisor ended it for that. */
  how: z.string(),
  /** It had no memory left. */
  outOfMemory: z.boolean(),
  /** Resident memory when it was last heard of, in bytes. */
  rssBytes: z.number().optional(),
  last: lastActivity.optional(),
});

/** How a node's process ended. */
export type NodeEnd = z.infer<typeof nodeEndSchema>;
