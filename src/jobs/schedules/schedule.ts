import { Cron } from 'croner';
import { z } from 'zod';
import { storedJobConfigSchema } from '../../config/stored-job.ts';
import { MillraceError } from '../../errors.ts';
import { decodeStored } from '../stored-json.ts';

const time = z.int().min(0);

/** Names of schedules: their jobs are called `<name>-<tick>`. */
export const SCHEDULE_NAME = /^[a-z0-9][a-z0-9-]{0,23}$/;

/** What makes a schedule create a job. */
const triggerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('cron'), cron: z.string(), timeZone: z.string() }),
  z.object({ kind: z.literal('trajectories'), count: z.int().min(1) }),
  z.object({ kind: z.literal('interactions'), count: z.int().min(1) }),
]);

export type Trigger = z.infer<typeof triggerSchema>;

/** Version of the layout; see `RECORD_FORMAT` of jobs. */
const FORMAT = 1;

/** What bucket `schedules` holds under a schedule's name, as JSON. Times are Unix milliseconds. */
const scheduleSchema = z.object({
  format: z.literal(FORMAT).default(FORMAT),
  name: z.string().regex(SCHEDULE_NAME),
  trigger: triggerSchema,
  /** Of the jobs. */
  config: storedJobConfigSchema,
  owner: z.string().optional(),
  priority: z.int().default(0),
  /** Each job starts from the weights of the one before. */
  fromLatest: z.boolean().default(false),
  paused: z.boolean().default(false),
  createdAt: time,
  /** Ticks up to this time have been seen to: run, or passed while the schedule was paused or ran late. */
  seenUntil: time,
  /** Rows that there were at the last tick; undefined until they were counted first. Only of triggers that count. */
  seenRows: z.int().min(0).optional(),
  /** Jobs created. */
  runs: z.int().min(0).default(0),
  /** Ids of the newest of them, the newest last. */
  jobs: z.array(z.string()).default([]),
  /** Why the last tick created no job. */
  error: z.object({ at: time, message: z.string() }).optional(),
});

/** A schedule as stored. */
export type Schedule = z.infer<typeof scheduleSchema>;

/** Ids that are kept of the jobs of a schedule. */
const KEPT_JOBS = 20;

export function encodeSchedule(schedule: Schedule): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(schedule));
}

/** Reads what {@link encodeSchedule} wrote. `data_loss` when it is damaged, `failed_precondition` when a newer version wrote it. */
export function decodeSchedule(bytes: Uint8Array, key?: string): Schedule {
  const schedule = decodeStored(bytes, scheduleSchema, FORMAT);
  if (key !== undefined && schedule.name !== key)
    throw new MillraceError('data_loss', `it is schedule "${schedule.name}", under another key`, { field: 'name' });
  return schedule;
}

/**
 * Checks a cron expression of five fields and a time zone.
 * @throws MillraceError invalid_argument (field `cron` or `time_zone`)
 */
export function checkCron(cron: string, timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    const message = `got ${shown(timeZone)}, expected a time zone of the IANA database, e.g. Europe/Berlin or UTC`;
    throw new MillraceError('invalid_argument', message, { field: 'time_zone' });
  }
  let next: Date | null;
  try {
    next = pattern(cron, timeZone).nextRun(new Date(0));
  } catch (cause) {
    const message = `got ${shown(cron)}, expected minute, hour, day of the month, month and day of the week, e.g. "0 3 * * *": ${(cause as Error).message.slice(0, 200)}`;
    throw new MillraceError('invalid_argument', message, { field: 'cron', cause });
  }
  if (next === null) throw new MillraceError('invalid_argument', `${shown(cron)} never comes`, { field: 'cron' });
}

/** A text in a message, cut to what fits. */
function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function pattern(cron: string, timezone: string): Cron {
  return new Cron(cron, { timezone, mode: '5-part', paused: true });
}

/** When a schedule comes next, in Unix milliseconds; undefined where that is not a matter of time, or it never comes again. */
export function nextTick({ trigger, seenUntil }: Pick<Schedule, 'trigger' | 'seenUntil'>, now: number): number | undefined {
  if (trigger.kind !== 'cron') return undefined;
  return pattern(trigger.cron, trigger.timeZone)
    .nextRun(new Date(Math.max(seenUntil, now)))
    ?.getTime();
}

/** A tick that is due. */
export interface Tick {
  /** Of its job: the same wherever and however often it is found due. */
  jobId: string;
  /** The schedule once the tick has been seen to, but for its job. */
  after: Pick<Schedule, 'seenUntil' | 'seenRows'>;
}

/**
 * The tick that is due now; of several that were missed, the last one.
 *
 * @param rows - that there are now, of those that the trigger counts; undefined when nobody could count them
 */
export function dueTick(schedule: Schedule, now: number, rows: number | undefined): Tick | undefined {
  const { name, trigger, seenUntil, seenRows, createdAt, runs } = schedule;
  if (schedule.paused) return undefined;
  if (trigger.kind === 'cron') {
    const cron = pattern(trigger.cron, trigger.timeZone);
    const next = cron.nextRun(new Date(seenUntil));
    if (next === null || next.getTime() > now) return undefined;
    // The newest that is not later than now.
    const last = cron.previousRuns(1, new Date(now + 1000))[0]?.getTime() ?? next.getTime();
    const tick = last > seenUntil && last <= now ? last : next.getTime();
    // In UTC: where clocks are put back, an hour comes twice.
    const minute = new Date(tick).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 13);
    return { jobId: `${name}-${minute}`, after: { seenUntil: tick, seenRows } };
  }
  if (rows === undefined || seenRows === undefined || rows - seenRows < trigger.count) return undefined;
  return { jobId: `${name}-${createdAt.toString(36)}-${runs + 1}`, after: { seenUntil: Math.round(now), seenRows: rows } };
}

/** The schedule after a tick whose job was created, or could not be. */
export function ticked(schedule: Schedule, tick: Tick, outcome: { now: number; error?: string }): Schedule {
  const { error: _, ...rest } = schedule;
  const next = { ...rest, ...tick.after };
  if (outcome.error !== undefined) return { ...next, error: { at: Math.round(outcome.now), message: outcome.error } };
  return { ...next, runs: schedule.runs + 1, jobs: [...schedule.jobs, tick.jobId].slice(-KEPT_JOBS) };
}

/** The schedule paused, or going on: what came meanwhile is not run. */
export function pausedSchedule(schedule: Schedule, paused: boolean, now: number): Schedule {
  if (schedule.paused === paused) return schedule;
  const { seenRows: _, ...rest } = schedule;
  return paused ? { ...schedule, paused } : { ...rest, paused, seenUntil: Math.round(now) };
}
