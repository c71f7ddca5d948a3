import { z } from 'zod';
import { MillraceError } from '../../errors.ts';
import { decodeStored } from '../stored-json.ts';
import { ARMS } from './assignment.ts';
import { POLICY_NAME } from './experiment.ts';

const time = z.int().min(0);

/** Version of the layout; see `RECORD_FORMAT` of jobs. */
const FORMAT = 1;

const answerSchema = z.object({
  /** As JSON; absent where it is longer than {@link MOST_ANSWER}. */
  json: z.string().optional(),
  ended: z.string(),
  steps: z.int().min(0),
});

/** What bucket `served` holds of a live task, as JSON. Times are Unix milliseconds. */
const servedTaskSchema = z.object({
  format: z.literal(FORMAT).default(FORMAT),
  /** Names the run. */
  trajectory: z.string(),
  agent: z.string(),
  /** `<job>@<version>` of the policy that has it. */
  policy: z.string().regex(POLICY_NAME),
  /** Absent where no experiment has the agent's tasks. */
  experiment: z.object({ id: z.string(), arm: z.enum(ARMS), unit: z.string() }).optional(),
  /** Digest of what the request asks for, where it had an id. */
  content: z.string().optional(),
  servedAt: time,
  /** After this time no reward is taken. */
  rewardUntil: time,
  /** How often it was begun; more than once where a run failed and the request came again. */
  attempt: z.int().min(1).default(1),
  /** A run that has neither answered nor failed by then is lost. */
  runsUntil: time.optional(),
  /** Absent while it runs, and where it failed. */
  answer: answerSchema.optional(),
  /** `counted`: in the experiment; absent until that is known. */
  reward: z.object({ value: z.number(), at: time, counted: z.boolean().optional() }).optional(),
});

/** See {@link servedTaskSchema}. */
export type ServedTaskRecord = z.infer<typeof servedTaskSchema>;

/** Characters of an answer that are kept for a request that comes again. */
export const MOST_ANSWER = 16_384;

/** Id of the request that a run answers, in the shape of those of training: the version stands where rounds do. */
export function servedRequestId(policy: string, key: string, attempt: number): string {
  return `${policy.replace('@', ':')}:serve-${key}:${attempt}`;
}

/** Id of the trajectory of a request. */
export const servedTrajectory = (request: string): string => `${request}:0`;

const TRAJECTORY = /^[a-z0-9][a-z0-9-]{0,39}:\d{1,10}:serve-([0-9a-f]{32}):\d{1,9}:0$/;

/** Key of the task that a trajectory is of; undefined when it is of none. */
export const keyOfTrajectory = (trajectory: string): string | undefined => TRAJECTORY.exec(trajectory)?.[1];

export function encodeServedTask(task: ServedTaskRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(task));
}

/** Reads what {@link encodeServedTask} wrote. `data_loss` when it is damaged, `failed_precondition` when a newer version wrote it. */
export function decodeServedTask(bytes: Uint8Array, key: string): ServedTaskRecord {
  const task = decodeStored(bytes, servedTaskSchema, FORMAT);
  if (keyOfTrajectory(task.trajectory) !== key)
    throw new MillraceError('data_loss', `it is of trajectory "${task.trajectory}", under another key`);
  return task;
}
