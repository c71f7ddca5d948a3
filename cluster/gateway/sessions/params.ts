import { z } from 'zod';
import { checkedWhole } from '../../../src/config/problems.ts';
import { MillraceError } from '../../../src/errors.ts';

const HOUR_SECONDS = 3600;
const MOST_TASK = 65_536;
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'expected 1 to 40 lower-case letters, digits and "-"');

/** Body of `POST /v1/sessions`. */
export const sessionParams = z
  .strictObject({
    /** Any JSON; its `id`, where it has one, is the task's name in tables. */
    task: z.json().refine((task) => JSON.stringify(task).length <= MOST_TASK, `expected at most ${MOST_TASK} characters of JSON`),
    /** A job that the trajectory is of. */
    job: name.optional(),
    /** Name under which calls are recorded that belong to no job. */
    recording: name.optional(),
    split: z.enum(['train', 'validation', 'test']).default('train'),
    /** Until the key expires. */
    life_seconds: z
      .int()
      .min(1)
      .max(7 * 24 * HOUR_SECONDS)
      .default(24 * HOUR_SECONDS),
  })
  .refine(({ job, recording }) => (job === undefined) !== (recording === undefined), {
    path: ['job'],
    error: 'a job or a recording, and not both',
  });

/** Body of `POST /v1/sessions/{id}/reward`. */
export const rewardParams = z
  .strictObject({
    /** The higher the better. */
    reward: z.number().optional(),
    /** Stands for a reward of 1 or 0. */
    success: z.boolean().optional(),
  })
  .refine(({ reward, success }) => (reward === undefined) !== (success === undefined), {
    path: ['reward'],
    error: 'one of reward and success, and not both',
  });

/** A body of JSON, checked. `invalid_argument` with the field. */
export function checkedBody<T>(schema: z.ZodType<T>, body: Buffer): T {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new MillraceError('invalid_argument', 'The body is no JSON.', { field: 'body', cause });
  }
  return checkedWhole(schema, json, 'body');
}

/** What a task is called in tables: its own id, where it has one. */
export function taskIdOf(task: unknown): string {
  const id = typeof task === 'object' && task !== null ? (task as { id?: unknown }).id : undefined;
  return typeof id === 'string' || typeof id === 'number' ? String(id).slice(0, 200).toWellFormed() : 'session';
}
