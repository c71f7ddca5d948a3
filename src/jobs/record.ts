import { z } from 'zod';
import { jobBudgetSchema } from '../config/budgets.ts';
import type { JobConfig } from '../config/job.ts';
import { storedJobConfigSchema } from '../config/stored-job.ts';
import { DEFAULT_OWNER, OWNER_PATTERN, PRIORITY } from '../config/owner.ts';
import { wordsOf } from '../algo/schema/issue-words.ts';
import { MillraceError } from '../errors.ts';
import { assertTransition, isEnded, JOB_STATES, type JobStateName } from './state.ts';

const estimateSchema = z.object({ value: z.number(), low: z.number().optional(), high: z.number().optional() });

/** A figure with its 95 % interval, unless that is not known. */
export type EstimateRecord = z.infer<typeof estimateSchema>;

const comparisonSchema = z.object({
  baseline: z.string(),
  tasks: z.int().min(0),
  wins: z.int().min(0),
  losses: z.int().min(0),
  difference: z.number(),
  low: z.number(),
  high: z.number(),
  pValue: z.number(),
  evidence: z.number(),
  threshold: z.number(),
  decision: z.enum(['better', 'worse', 'undecided']),
});

/** Success against that of a baseline on the same tasks; the same fields as the proto `PairedComparison`. */
export type ComparisonRecord = z.infer<typeof comparisonSchema>;

/** A finished evaluation as it is kept in the record; the same fields as the proto `Evaluation`. */
export const evaluationRecordSchema = z.object({
  /** A key of `EVALUATIONS` (evaluation/names.ts). */
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
  /** `failed` by class of failure; empty in records of older builds. */
  failures: z.record(z.string(), z.int().min(0)).default({}),
  /** See `evaluationMetrics`; empty in records of older builds. */
  metrics: z.record(z.string(), estimateSchema).default({}),
  types: z.record(z.string(), z.object({ judged: z.int().min(0), successes: z.int().min(0) })).default({}),
  comparison: comparisonSchema.optional(),
  /** How the flow of each task ended; see `encodeOutcomes`. */
  outcomes: z.string().optional(),
});

export type EvaluationRecord = z.infer<typeof evaluationRecordSchema>;

const time = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** A checkpoint of a job, as its record lists it. */
export const checkpointRecordSchema = z.object({
  version: z.int().min(0),
  /** SHA-256 of its manifest, an artifact that names the others. */
  digest,
  /** Bytes of all its files. */
  bytes: z.int().min(0),
  /** When it was written. */
  at: time,
  /** It is a published policy: it stays. */
  published: z.literal(true).optional(),
});

export type CheckpointRecord = z.infer<typeof checkpointRecordSchema>;

/** Why a job is paused that nobody paused. */
const PAUSE_REASONS = ['BUDGET_EXHAUSTED'] as const;

/** Version of the record's layout. One that older versions cannot go on with gets the next number. */
export const RECORD_FORMAT = 1;

/**
 * What bucket `jobs` holds of a job, as JSON. Everything a coordinator needs to take the job over: the training state
 * itself (weights, optimiser, ledger) is in the weight manifest. Keys that are not known are left out here and kept in the
 * bucket, so that nodes of two versions can share a record of one format. Times are Unix milliseconds.
 */
export const jobRecordSchema = z.object({
  /** Absent in records from before there was one. */
  format: z.literal(RECORD_FORMAT).default(RECORD_FORMAT),
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/),
  state: z.enum(JOB_STATES),
  config: storedJobConfigSchema,
  createdAt: time,
  /** Whose share of the cluster it uses. */
  owner: z.string().regex(OWNER_PATTERN).default(DEFAULT_OWNER),
  /** Of the jobs that wait, those with a higher one are admitted first. */
  priority: z.int().min(PRIORITY.min).max(PRIORITY.max).default(0),
  startedAt: time.optional(),
  endedAt: time.optional(),
  /** Number of the admission under which it last became RUNNING; see `cluster/coordinator/scheduler`. */
  ticket: z.int().min(0).default(0),
  /** The job that took its place, while it waits to go on. */
  preemptedBy: z.string().optional(),
  /** Each time the job went on after a pause or under another coordinator, oldest first. */
  resumedAt: z.array(time).default([]),
  /** What went wrong, when FAILED. */
  error: z.string().optional(),
  /** Why it is PAUSED, when nobody asked for it. */
  pause: z.object({ reason: z.enum(PAUSE_REASONS), message: z.string() }).optional(),
  /** What it may spend, where that was changed since it was created; in place of `config.budget`. */
  budget: jobBudgetSchema.optional(),
  /** Milliseconds that it was RUNNING, up to when it was last started. */
  ranMs: time.default(0),
  /** When it was last started or resumed; absent unless it is RUNNING, and in records of older builds. */
  runningSince: time.optional(),
  /** Asked to end after the round in progress. */
  cancelRequested: z.boolean().default(false),
  /** Sequence of the next training request: requests 0 … accepted − 1 have been dispatched. */
  accepted: z.int().min(0).default(0),
  /**
   * Task ids of the training requests that have not ended, by sequence; only in jobs with a curriculum. Written with `accepted`,
   * so that a request sent again is about the same task. As many as admission lets be under way.
   */
  tasks: z.record(z.string().regex(/^\d+$/), z.string()).optional(),
  /** Streams, buckets and durables that the requests under way were sent into, by name, with what tells each from others of that name. */
  streams: z.record(z.string(), z.string()).optional(),
  /** Grows each time such a stream was lost: requests are sent again under ids of their own. */
  attempt: z.int().min(0).default(0),
  /** Grows each time a coordinator takes the job or loses requests: evaluations that it runs carry ids of their own. */
  taken: z.int().min(0).default(0),
  /** Groups that were used and whose rows the store does not have; absent while no rows can have been lost. */
  unstored: z.int().min(0).optional(),
  /** Oldest first. */
  evaluations: z.array(evaluationRecordSchema).default([]),
  /** The request that created it, where that had an id; digest: of its content. */
  request: z.object({ id: z.string(), digest: z.string() }).optional(),
  /** The version of another job that it measures, and how far training was there; it trains nothing itself. */
  evaluates: z
    .object({ job: z.string(), version: z.int().min(0), trajectories: z.int().min(0), trainSeconds: z.number().min(0) })
    .optional(),
  /** The registered agent whose flow it runs. */
  agent: z.string().optional(),
  /** Artifact with the queries that it trains on in place of its flow's own tasks. */
  queries: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** What its first weights are from: `<job>@<version>` or the folder of a checkpoint. */
  from: z.string().optional(),
  /** Of jobs of older builds: folder beside the job's checkpoints where those weights are kept. */
  initialWeights: z
    .string()
    .regex(/^initial-[0-9a-f]{12}$/)
    .optional(),
  /** The training that it goes on with: that of another job's checkpoint. */
  forked: z
    .object({
      job: z.string(),
      version: z.int().min(0),
      /** Of the checkpoint. */
      digest,
      /** Groups that were used until then: their rows are the other job's. */
      used: z.int().min(0),
    })
    .optional(),
  /** Digest of the code and data that the job was created with; absent in jobs of older builds and in serial mode. */
  code: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Digest of the checkpoint that holds those weights, an artifact. Jobs of older builds have a folder instead. */
  initialCheckpoint: digest.optional(),
  /** The newest checkpoint: its folder, or `<job>@<version>` where checkpoints have none. */
  checkpoint: z.string().optional(),
  /** Those that are kept, by version. Jobs of older builds have folders only. */
  checkpoints: z.array(checkpointRecordSchema).default([]),
  /** Its last round, where it stops before `config.rounds`, and why. */
  earlyStop: z.object({ round: z.int().min(0), reason: z.string() }).optional(),
  /** Paused, and its last version has no checkpoint yet: the parameter server writes it. */
  checkpointDue: z.boolean().optional(),
  /**
   * What a job that has ended leaves to be done, by whoever gets to it: `queues` (the coordinator drops its requests and
   * durable), `books` (the parameter server counts what was open as failed). Kept here, so that no crash in between forgets it.
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
  owner?: string | undefined;
  priority?: number | undefined;
  request?: { id: string; digest: string } | undefined;
  agent?: string | undefined;
  queries?: string | undefined;
  evaluates?: JobRecord['evaluates'];
  from?: string;
  initialCheckpoint?: string | undefined;
  /** Digest of its code and data. */
  code?: string | undefined;
  forked?: JobRecord['forked'];
  checkpoint?: string;
  checkpoints?: CheckpointRecord[];
  evaluations?: EvaluationRecord[];
}

/** The same for configurations that were checked when they were read: they are most of what there is to check. */
export const checkedRecordSchema = jobRecordSchema.extend({ config: z.custom<JobConfig>() });

/** A QUEUED job. */
export function createJobRecord(job: NewJob): JobRecord {
  const { now, ...rest } = job;
  const parsed = checkedRecordSchema.safeParse({ ...rest, state: 'QUEUED', createdAt: Math.round(now) });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = issue.path.join('.');
  throw new MillraceError('invalid_argument', `job: ${field}: expected ${wordsOf(issue)}`, { field });
}

/** When a job changes its state, and why. */
export interface TransitionDetails {
  now: number;
  /** Of a job that failed. */
  error?: string;
  /** Of a job that begins to run: number of its admission. Default: as before. */
  ticket?: number;
  /** Of a job that goes back into the queue: the job that takes its place. */
  preemptedBy?: string;
  /** Of a job that is paused and nobody asked for it: why. */
  pause?: JobRecord['pause'];
}

/** Moves the job to `to`, with the times that go with it. Throws `failed_precondition` when it cannot. */
export function transition(record: JobRecord, to: JobStateName, at: TransitionDetails): JobRecord {
  assertTransition(record.state, to, `job ${record.id}`);
  const next: JobRecord = { ...record, state: to };
  delete next.checkpointDue;
  if (to === 'PAUSED' || (to === 'QUEUED' && record.state === 'RUNNING')) next.checkpointDue = true;
  const now = Math.round(at.now);
  delete next.pause;
  delete next.runningSince;
  next.ranMs = ranMs(record, now);
  if (to === 'PAUSED' && at.pause !== undefined) next.pause = at.pause;
  if (to === 'RUNNING') next.runningSince = now;
  delete next.preemptedBy;
  if (to === 'QUEUED') {
    // Of a failed job that goes on.
    delete next.endedAt;
    delete next.error;
    next.cancelRequested = false;
    if (at.preemptedBy !== undefined) next.preemptedBy = at.preemptedBy;
  }
  if (to === 'RUNNING') {
    next.ticket = at.ticket ?? record.ticket;
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

/** Milliseconds that the job has been RUNNING until now; a clock that went back counts as no time. */
export function ranMs(record: Pick<JobRecord, 'state' | 'ranMs' | 'runningSince' | 'startedAt'>, now: number): number {
  if (record.state !== 'RUNNING') return record.ranMs;
  const since = record.runningSince ?? record.startedAt ?? now;
  return record.ranMs + Math.max(0, Math.round(now - since));
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
