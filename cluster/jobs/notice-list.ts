import type { Bus } from '../../src/bus/bus.ts';
import { decodeNotice, sortNotices, type JobNotice } from '../../src/jobs/notice.ts';
import { NOTICES } from '../../src/protocol/names.ts';

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
  // Callers that ask for notices get the error; closing without asking is not one.
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
