import { z } from 'zod';

/** Every code of a notice that this version reports. What each means and what to do: `docs/errors.md`. */
export const NOTICE_CODES = [
  'ACTOR_RESTARTED',
  'ADMISSION_HELD',
  'BUDGET_ALERT',
  'BUDGET_EXHAUSTED',
  'BUNDLE_DAMAGED',
  'CHECKPOINT_DAMAGED',
  'DISK_FULL',
  'EVALUATION_INCOMPLETE',
  'EVENT_LOOP_HELD',
  'NOTHING_TO_DECIDE',
  'POLICY_COLLAPSED',
  'PROCESS_EXIT_CALLED',
  'ROWS_MISSING',
  'ROWS_UNSTORED',
  'STOPPED_EARLY',
  'STREAM_MISSING',
  'STREAM_RECREATED',
  'UNCAUGHT_ERROR',
  'WEIGHTS_DAMAGED',
  'WORKER_ENDED',
] as const;

export type NoticeCode = (typeof NOTICE_CODES)[number];

/** A notice as bucket `notices` holds it, as JSON. Unknown keys are dropped. Times are Unix milliseconds. */
export const jobNoticeSchema = z.object({
  job: z.string().min(1),
  /** What kind of thing happened, e.g. `ACTOR_RESTARTED`. Not one of {@link NOTICE_CODES} when another version wrote it. */
  code: z.string().regex(/^[A-Z][A-Z0-9_]*$/),
  /** What it happened to (a tool, an actor, a stream); '' when the job as a whole. */
  subject: z.string(),
  /** The newest message: what happened, where, and what to do. */
  message: z.string(),
  /** Node that reported it last. */
  node: z.string(),
  /** How often it was reported since it was first reported or last resolved. */
  count: z.int().min(1),
  firstAt: z.number().min(0),
  lastAt: z.number().min(0),
  /** When the condition was over; absent while it lasts. */
  resolvedAt: z.number().min(0).optional(),
  /** Whether it is a condition that lasts until it is resolved, rather than something that happened. */
  lasts: z.boolean().default(true),
});

/** A lasting or past condition of one job that a person should know about. */
export type JobNotice = z.infer<typeof jobNoticeSchema>;

/** What a role reports about a job. */
export interface NoticeReport {
  /** Reports with the same code and subject are one notice. */
  code: NoticeCode;
  /** What it is about: a tool, an actor, a stream. Default '': the job as a whole. */
  subject?: string | undefined;
  /** What happened, where, and what to do; at most {@link MAX_MESSAGE} characters are kept. */
  message: string;
  /** False for something that happened and is over with that, e.g. a call of `process.exit`. Default true. */
  lasts?: boolean | undefined;
}

/** Characters of a message that are kept: a notice must stay small, whatever an error's message contains. */
export const MAX_MESSAGE = 2_000;

/** Who reports, when, and how often since the last write. */
interface Reported {
  job: string;
  node: string;
  now: number;
  times?: number;
}

/** The notice after another report. One that was resolved begins anew. */
export function reportedNotice(before: JobNotice | undefined, report: NoticeReport, at: Reported): JobNotice {
  const { job, node, now, times = 1 } = at;
  const active = before?.resolvedAt === undefined ? before : undefined;
  return {
    job,
    code: report.code,
    subject: report.subject ?? '',
    message: report.message.slice(0, MAX_MESSAGE).toWellFormed(),
    node,
    count: (active?.count ?? 0) + times,
    firstAt: active?.firstAt ?? now,
    lastAt: now,
    lasts: report.lasts ?? true,
  };
}

/** The notice after the condition is over; undefined when it was over already. */
export function resolvedNotice(before: JobNotice, now: number): JobNotice | undefined {
  return before.resolvedAt === undefined ? { ...before, resolvedAt: now } : undefined;
}

export function encodeNotice(notice: JobNotice): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(notice));
}

/** Reads what {@link encodeNotice} wrote; undefined for anything else. */
export function decodeNotice(bytes: Uint8Array): JobNotice | undefined {
  try {
    const parsed = jobNoticeSchema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Lasting conditions before what is past, the newest first. */
export function sortNotices(notices: readonly JobNotice[]): JobNotice[] {
  const past = ({ lasts, resolvedAt }: JobNotice): number => (lasts && resolvedAt === undefined ? 0 : 1);
  return [...notices].sort((a, b) => past(a) - past(b) || b.lastAt - a.lastAt || (a.code < b.code ? -1 : 1));
}
