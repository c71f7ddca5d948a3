import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { decodeNotice, sortNotices, type JobNotice } from '../../src/jobs/notice.ts';
import { NOTICES } from '../../src/protocol/names.ts';

/** How long until a watch that could not be opened is tried again, in ms. */
const RETRY_MS = 1_000;

/** The notices of all jobs, followed. */
export interface NoticeList {
  /** Resolves once those that are there are known; rejects while they cannot be read, which is tried again and again. */
  readonly ready: Promise<void>;
  /** Those of one job: lasting ones first, then the newest first. */
  of(job: string): JobNotice[];
  close(): void;
}

/** Follows bucket `notices`; `onChange` is called with the job whose notices changed. What cannot be read is left out. */
export function watchJobNotices({ bus, clock }: { bus: Bus; clock: Clock }, onChange: (job: string) => void): NoticeList {
  const byJob = new Map<string, Map<string, JobNotice>>();
  const closed = new AbortController();
  const take = ({ key, value }: { key: string; value: Uint8Array | undefined }): void => {
    const job = key.slice(0, key.indexOf('.'));
    const notices = byJob.get(job) ?? new Map<string, JobNotice>();
    const notice = value && decodeNotice(value);
    if (notice) notices.set(key, notice);
    else notices.delete(key);
    if (notices.size > 0) byJob.set(job, notices);
    else byJob.delete(job);
    onChange(job);
  };
  const open = async (): Promise<void> => {
    const stop = await bus.kv(NOTICES).watch('>', take);
    if (closed.signal.aborted) stop();
    else closed.signal.addEventListener('abort', stop, { once: true });
  };
  let ready = open();
  const keepTrying = async (): Promise<void> => {
    while (!closed.signal.aborted) {
      const isOpen = await ready.then(
        () => true,
        () => false,
      );
      if (isOpen) return;
      await clock.sleep(RETRY_MS, closed.signal).catch(() => {});
      if (!closed.signal.aborted) ready = open();
    }
  };
  void keepTrying();
  return {
    get ready() {
      return ready;
    },
    of: (job) => sortNotices([...(byJob.get(job)?.values() ?? [])]),
    close: () => closed.abort(),
  };
}
