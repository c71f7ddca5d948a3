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
export function jobNotices(options: NoticeOptions): JobNotices {
  return new BusNotices(options);
}

class BusNotices implements JobNotices {
  readonly #options: NoticeOptions;
  /** Reports that are not written yet, by key. */
  readonly #pending = new Map<string, Pending>();
  readonly #writing = new Map<string, Promise<void>>();

  constructor(options: NoticeOptions) {
    this.#options = options;
  }

  report(job: string, report: NoticeReport): Promise<void> {
    const key = noticeKey(job, report.code, report.subject);
    this.#pending.set(key, { report, times: (this.#pending.get(key)?.times ?? 0) + 1 });
    const running = this.#writing.get(key) ?? this.#drain(job, key);
    this.#writing.set(key, running);
    return running;
  }

  resolve(job: string, code: NoticeCode, subject?: string): Promise<void> {
    return this.#resolveKey(job, noticeKey(job, code, subject));
  }

  async resolveAll(job: string, code: NoticeCode): Promise<void> {
    try {
      for (const key of await this.#bucket().keys(`${job}.${code}.*`)) await this.#resolveKey(job, key);
    } catch (error) {
      this.#options.log.warn({ err: MillraceError.from(error), job, code }, 'notices could not be resolved');
    }
  }

  #bucket(): KeyValue {
    return this.#options.bus.kv(NOTICES);
  }

  async #drain(job: string, key: string): Promise<void> {
    const { clock, node, log } = this.#options;
    try {
      for (let next = this.#pending.get(key); next; next = this.#pending.get(key)) {
        const { report, times } = next;
        this.#pending.delete(key);
        log.warn({ job, code: report.code, ...(report.subject !== undefined && { subject: report.subject }) }, report.message);
        await this.#change(key, (before) => reportedNotice(before, report, { job, node, now: clock.now(), times }));
        if (this.#pending.has(key)) await clock.sleep(WRITE_INTERVAL_MS);
      }
    } catch (error) {
      log.warn({ err: MillraceError.from(error), job, key }, 'a notice could not be written');
    } finally {
      this.#writing.delete(key);
    }
  }

  async #resolveKey(job: string, key: string): Promise<void> {
    const { clock, log } = this.#options;
    await this.#writing.get(key);
    try {
      await this.#change(key, (before) => before && resolvedNotice(before, clock.now()));
    } catch (error) {
      log.warn({ err: MillraceError.from(error), job, key }, 'a notice could not be resolved');
    }
  }

  /** Writes what `next` makes of the notice, if anything, and notes it as an event. */
  async #change(key: string, next: (before: JobNotice | undefined) => JobNotice | undefined): Promise<void> {
    for (let attempt = 0; attempt < MAX_CAS_ATTEMPTS; attempt += 1) {
      const entry = await this.#bucket().get(key);
      const before = entry && decodeNotice(entry.value);
      const notice = next(before);
      if (!notice) return;
      const revision = await this.#write(key, notice, entry);
      if (revision === undefined) continue;
      // Counting on is no event of its own.
      if (notice.resolvedAt !== undefined) await this.#note(notice, revision, 'notice-resolved');
      else if (before?.resolvedAt !== undefined || before?.message !== notice.message) {
        await this.#note(notice, revision, 'notice');
      }
      return;
    }
    throw new MillraceError('aborted', `notice ${key} kept changing while it was written`);
  }

  /** The new revision; undefined when another node wrote meanwhile. */
  async #write(key: string, notice: JobNotice, entry: KeyValueEntry | undefined): Promise<number | undefined> {
    try {
      return entry
        ? await this.#bucket().update(key, encodeNotice(notice), entry.revision)
        : await this.#bucket().create(key, encodeNotice(notice));
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code === 'aborted' || error.code === 'already_exists') return undefined;
      throw error;
    }
  }

  async #note(notice: JobNotice, revision: number, kind: 'notice' | 'notice-resolved'): Promise<void> {
    const { bus, clock, node } = this.#options;
    const { job, code, subject, message } = notice;
    await new JobEvents(bus, clock, node, job).publish(kind, `${code}:${revision}`, message, { code, subject });
  }
}

/** Keys admit few characters, and subjects are people's words. */
function noticeKey(job: string, code: NoticeCode, subject = ''): string {
  return `${job}.${code}.${createHash('sha256').update(subject).digest('hex').slice(0, 16)}`;
}
