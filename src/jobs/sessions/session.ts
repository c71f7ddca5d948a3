import { z } from 'zod';
import { MillraceError } from '../../errors.ts';
import { ARMS } from '../experiments/assignment.ts';
import { decodeStored } from '../stored-json.ts';

const time = z.int().min(0);

/** Version of the layout; see `RECORD_FORMAT` of jobs. */
const FORMAT = 1;

/** What tasks a session may be of. */
const SPLITS = ['train', 'validation', 'test'] as const;

/** What bucket `sessions` holds of a trajectory of an outside agent, as JSON. Times are Unix milliseconds. */
const sessionSchema = z.object({
  format: z.literal(FORMAT).default(FORMAT),
  id: z.string(),
  /** SHA-256 of the key, in hex: the key itself is nowhere. */
  keyHash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Job that the trajectory is of, or the name of the recording. */
  job: z.string(),
  /** `job` names a recording: there is no job of that name. */
  recording: z.boolean(),
  trajectory: z.string(),
  /** As JSON. */
  task: z.string(),
  taskId: z.string(),
  split: z.enum(SPLITS),
  experiment: z.object({ id: z.string(), arm: z.enum(ARMS), unit: z.string(), policy: z.string() }).optional(),
  createdAt: time,
  /** From then on its key opens nothing. */
  expiresAt: time,
  reward: z.object({ value: z.number(), at: time }).optional(),
  /** Set when the trajectory is over: its key opens nothing any more. */
  finishedAt: time.optional(),
  /** Its row has been published. */
  recorded: z.boolean().optional(),
});

/** See {@link sessionSchema}. */
export type SessionRecord = z.infer<typeof sessionSchema>;

/** Names a session. */
export const SESSION_ID = /^[0-9a-f]{32}$/;

/** Trajectory of a session, in the shape of other ids: the version stands where rounds do. */
export const sessionTrajectory = (job: string, version: number, id: string): string => `${job}:${version}:session-${id}:1:0`;

export function encodeSession(session: SessionRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(session));
}

/** Reads what {@link encodeSession} wrote. `data_loss` when it is damaged, `failed_precondition` when a newer version wrote it. */
export function decodeSession(bytes: Uint8Array, key: string): SessionRecord {
  const session = decodeStored(bytes, sessionSchema, FORMAT);
  if (session.id !== key) throw new MillraceError('data_loss', `it is of session "${session.id}", under another key`);
  return session;
}
