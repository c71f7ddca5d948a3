import { z } from 'zod';
import { jobConfigSchema, type JobConfig } from '../config/job.ts';
import { MillraceError } from '../errors.ts';
import { assertTransition, isEnded, JOB_STATES, type JobStateName } from './state.ts';

/** A finished evaluation as it is kept in the record; the same fields as the proto `Evaluation`. */
export const evaluationRecordSchema = z.object({
  /** "trained", "untrained", "random", "do-nothing" or "rule". */
  name: z.string(),
  policyVersion: z.int().min(0),
  /** Flows counted: tasks times samples a task. */
  tasks: z.int().min(0),
  successes: z.int().min(0),
  failed: z.int().min(0),
  meanReward: z.number(),
  trajectories: z.int().min(0),
  trainSeconds: z.number().min(0),
  meanSteps: z.number().min(0),
});

export type EvaluationRecord = z.infer<typeof evaluationRecordSchema>;

const time = z.int().min(0);

/**
 * What bucket `jobs` holds of a job, as JSON. Everything a coordinator needs to take the job over: the training state
 * itself (weights, optimiser, ledger) is in the weight manifest. Unknown keys are dropped, so that an older node can read
 * the record of a newer one. Times are Unix milliseconds.
 */
export const jobRecordSchema = z.object({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/),
  state: z.enum(JOB_STATES),
  config: jobConfigSchema,
  createdAt: time,
  startedAt: time.optional(),
  endedAt: time.optional(),
  /** Each time the job went on after a pause or under another coordinator, oldest first. */
  resumedAt: z.array(time).default([]),
  /** What went wrong, when FAILED. */
  error: z.string().optional(),
  /** Asked to end after the round in progress. */
  cancelRequested: z.boolean().default(false),
  /** Sequence of the next training request: requests 0 … accepted − 1 have been dispatched. */
  accepted: z.int().min(0).default(0),
  /**
   * Task ids of the training requests that have not ended, by sequence; only in jobs with a curriculum. Written with `accepted`,
   * so that a request sent again is about the same task. As many as admission lets be under way.
   */
  tasks: z.record(z.string().regex(/^\d+$/), z.string()).optional(),
  /** Oldest first. */
  evaluations: z.array(evaluationRecordSchema).default([]),
  /** Folder of the newest checkpoint. */
  checkpoint: z.string().optional(),
  /**
   * What a job that has ended leaves to be done, by whoever gets to it: `queues` (the coordinator drops its requests and
   * durable), `books` (the parameter server books what was open). Kept here, so that no crash in between forgets it.
   */
  unsettled: z.array(z.enum(['queues', 'books'])).default([]),
});

/** A job as stored. */
export type JobRecord = z.infer<typeof jobRecordSchema>;

/** One of the things to be done after a job's end. */
export type Unsettled = JobRecord['unsettled'][number];

/** What {@link createJobRecord} needs. */
export interface NewJob {
  id: string;
  config: JobConfig;
  now: number;
}

/** A QUEUED job. */
export function createJobRecord(job: NewJob): JobRecord {
  const { now, ...rest } = job;
  const parsed = jobRecordSchema.safeParse({ ...rest, state: 'QUEUED', createdAt: Math.round(now) });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new MillraceError('invalid_argument', `job: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`, {
    field: issue?.path.join('.') ?? 'job',
  });
}

/** Moves the job to `to`, with the times that go with it. Throws `failed_precondition` when it cannot. */
export function transition(record: JobRecord, to: JobStateName, at: { now: number; error?: string }): JobRecord {
  assertTransition(record.state, to, `job ${record.id}`);
  const next: JobRecord = { ...record, state: to };
  const now = Math.round(at.now);
  if (to === 'RUNNING') {
    if (record.startedAt === undefined) next.startedAt = now;
    else next.resumedAt = [...record.resumedAt, now];
  }
  if (isEnded(to)) {
    next.endedAt = now;
    next.unsettled = ['queues', 'books'];
  }
  if (to === 'FAILED') next.error = at.error ?? 'failed without a message';
  return next;
}

/** Notes that one of the things to be done after the end is done; undefined when it was noted before. */
export function settle(record: JobRecord, what: Unsettled): JobRecord | undefined {
  if (!record.unsettled.includes(what)) return undefined;
  return { ...record, unsettled: record.unsettled.filter((other) => other !== what) };
}

/** Notes that another coordinator goes on with a RUNNING job. */
export function markResumed(record: JobRecord, now: number): JobRecord {
  return { ...record, resumedAt: [...record.resumedAt, Math.round(now)] };
}

export function encodeJobRecord(record: JobRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/**
 * Configurations that were checked before, by their text. A record is written every round and read by every node, and nearly all of the
 * time of reading it went into its configuration, which never changes.
 */
const checkedConfigs = new Map<string, JobConfig>();
const MAX_CHECKED_CONFIGS = 32;
const withCheckedConfig = jobRecordSchema.extend({ config: z.custom<JobConfig>() });

/** Reads what {@link encodeJobRecord} wrote; `data_loss` naming the key and the field when it is damaged. */
export function decodeJobRecord(bytes: Uint8Array, key = 'job record'): JobRecord {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new MillraceError('data_loss', `${key} is not JSON; delete the key or restore it from a checkpoint`, { cause: error });
  }
  const text = JSON.stringify((json as { config?: unknown } | null)?.config) as string | undefined;
  const known = text === undefined ? undefined : checkedConfigs.get(text);
  const parsed = known ? withCheckedConfig.safeParse({ ...(json as object), config: known }) : jobRecordSchema.safeParse(json);
  if (parsed.success) {
    if (text !== undefined && !known) {
      const [oldest] = checkedConfigs.size < MAX_CHECKED_CONFIGS ? [] : checkedConfigs.keys();
      if (oldest !== undefined) checkedConfigs.delete(oldest);
      checkedConfigs.set(text, parsed.data.config);
    }
    return parsed.data;
  }
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new MillraceError('data_loss', `${key}: ${field}: ${issue?.message ?? 'not valid'}`, { field, cause: parsed.error });
}
