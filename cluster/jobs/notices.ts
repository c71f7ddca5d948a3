import { NOTICES } from '../../src/protocol/names.ts';
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Bus, KeyValue, KeyValueEntry } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import {
  decodeNotice,
  encodeNotice,
  reportedNotice,
  resolvedNotice,
  sortNotices,
  type JobNotice,
  type NoticeCode,
  type NoticeReport,
} from '../../src/jobs/notice.ts';
import { JobEvents } from './events.ts';

/**
 * What people must learn about a job: conditions that last or have passed, kept in bucket `notices` under
 * `<job>.<code>.<subject's digest>`. Reporting never throws and never blocks the caller's work; what the bus does not take is
 * in the log.
 */
export interface JobNotices {
  /** Reports a condition; reports with the same code and subject are counted in one notice. Resolves once it is written. */
  report(job: string, notice: NoticeReport): Promise<void>;
  /** The condition is over. Without a lasting notice of this code and subject nothing happens. */
  resolve(job: string, code: NoticeCode, subject?: string): Promise<void>;
  /** The same for every subject: what a process reported that has died since, somebody else has to resolve. */
  resolveAll(job: string, code: NoticeCode): Promise<void>;
}

const MAX_CAS_ATTEMPTS = 10;
/** The same notice is written at most this often; reports in between are counted and written together. */
const WRITE_INTERVAL_MS = 1_000;

interface Pending {
  report: NoticeReport;
  times: number;
}

/** Options of {@link jobNotices}. */
export interface NoticeOptions {
  bus: Bus;
  clock: Clock;
  /** Id of the reporting node. */
  node: string;
  log: Logger;
}

/** Reports notices through the bus. */
export function jobNotices({ bus, clock, node, log }: NoticeOptions): JobNotices {
  const bucket = (): KeyValue => bus.kv(NOTICES);
  const pending = new Map<string, Pending>();
  const writing = new Map<string, Promise<void>>();

  const noted = async (notice: JobNotice, revision: number, kind: 'notice' | 'notice-resolved'): Promise<void> => {
    const { job, code, subject, message } = notice;
    await new JobEvents(bus, clock, node, job).note(kind, `${code}:${revision}`, message, { code, subject });
  };

  const change = async (key: string, next: (before: JobNotice | undefined) => JobNotice | undefined): Promise<void> => {
    for (let attempt = 0; attempt < MAX_CAS_ATTEMPTS; attempt += 1) {
      const entry = await bucket().get(key);
      const before = entry && decodeNotice(entry.value);
      const notice = next(before);
      if (!notice) return;
      const revision = await write(key, notice, entry);
      if (revision === undefined) continue;
      // Counting on is no event of its own.
      if (notice.resolvedAt !== undefined) await noted(notice, revision, 'notice-resolved');
      else if (before?.resolvedAt !== undefined || before?.message !== notice.message) await noted(notice, revision, 'notice');
      return;
    }
    throw new MillraceError('aborted', `notice ${key} kept changing while it was written`);
  };

  /** The new revision; undefined when somebody else wrote meanwhile. */
  const write = async (key: string, notice: JobNotice, entry: KeyValueEntry | undefined): Promise<number | undefined> => {
    try {
      return entry
        ? await bucket().update(key, encodeNotice(notice), entry.revision)
        : await bucket().create(key, encodeNotice(notice));
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code === 'aborted' || error.code === 'already_exists') return undefined;
      throw error;
    }
  };

  const drain = async (job: string, key: string): Promise<void> => {
    try {
      for (let next = pending.get(key); next; next = pending.get(key)) {
        const { report, times } = next;
        pending.delete(key);
        log.warn({ job, code: report.code, ...(report.subject !== undefined && { subject: report.subject }) }, report.message);
        await change(key, (before) => reportedNotice(before, report, { job, node, now: clock.now(), times }));
        if (pending.has(key)) await clock.sleep(WRITE_INTERVAL_MS);
      }
    } catch (error) {
      log.warn({ err: MillraceError.from(error), job, key }, 'a notice could not be written');
    } finally {
      writing.delete(key);
    }
  };

  const resolveKey = async (job: string, key: string): Promise<void> => {
    await writing.get(key);
    try {
      await change(key, (before) => before && resolvedNotice(before, clock.now()));
    } catch (error) {
      log.warn({ err: MillraceError.from(error), job, key }, 'a notice could not be resolved');
    }
  };

  return {
    report(job, report) {
      const key = noticeKey(job, report.code, report.subject);
      pending.set(key, { report, times: (pending.get(key)?.times ?? 0) + 1 });
      const running = writing.get(key) ?? drain(job, key);
      writing.set(key, running);
      return running;
    },
    resolve: (job, code, subject) => resolveKey(job, noticeKey(job, code, subject)),
    async resolveAll(job, code) {
      try {
        for (const key of await bucket().keys(`${job}.${code}.*`)) await resolveKey(job, key);
      } catch (error) {
        log.warn({ err: MillraceError.from(error), job, code }, 'notices could not be resolved');
      }
    },
  };
}

/** Keys admit few characters, and subjects are people's words. */
function noticeKey(job: string, code: NoticeCode, subject = ''): string {
  return `${job}.${code}.${createHash('sha256').update(subject).digest('hex').slice(0, 16)}`;
}

/** The notices of all jobs, followed. */
export interface NoticeList {
  /** Resolves once those that are there are known. */
  readonly ready: Promise<void>;
  /** Those of one job: lasting ones first, then the newest first. */
  of(job: string): JobNotice[];
  close(): void;
}

/** Follows bucket `notices`; `onChange` is told the job whose notices changed. What cannot be read is left out. */
export function watchJobNotices(bus: Bus, onChange: (job: string) => void): NoticeList {
  const byJob = new Map<string, Map<string, JobNotice>>();
  const watch = bus.kv(NOTICES).watch('>', ({ key, value }) => {
    const job = key.slice(0, key.indexOf('.'));
    const notices = byJob.get(job) ?? new Map<string, JobNotice>();
    const notice = value && decodeNotice(value);
    if (notice) notices.set(key, notice);
    else notices.delete(key);
    if (notices.size > 0) byJob.set(job, notices);
    else byJob.delete(job);
    onChange(job);
  });
  const ready = watch.then(() => {});
  // Whoever asks for notices hears of it; closing without having asked is no error.
  ready.catch(() => {});
  return {
    ready,
    of: (job) => sortNotices([...(byJob.get(job)?.values() ?? [])]),
    close: () =>
      void watch.then(
        (stop) => stop(),
        () => {},
      ),
  };
}
