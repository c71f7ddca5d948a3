import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { endedCount } from '../../src/jobs/ledger.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { JobViews } from './job-view.ts';

/** A watcher is sent a running job at least this often: what it waits for changes without any event. */
const REFRESH_MS = 1_000;
/** And at most this often: a trainer reports every group and every shard, dozens of times a second. */
const PAUSE_MS = 100;
/** How long the end of a watch waits until requests that were open when the job ended are in the ledger. */
const FINAL_LEDGER_MS = 5_000;

type WatchContext = Pick<NodeContext, 'clock' | 'jobs'>;

/** What a watch works with. */
export interface WatchedJob {
  views: JobViews;
  id: string;
  /** Ends the watch. */
  signal: AbortSignal;
  /** The job when its record was removed, or cannot be read any more. */
  withoutRecord: () => Promise<Job>;
}

/** Yields a job as it is now and after every change, until it has ended or its record is gone. */
export async function* jobChanges(context: WatchContext, { views, id, signal, withoutRecord }: WatchedJob): AsyncIterable<Job> {
  const { clock, jobs } = context;
  let wake = (): void => {};
  const stop = views.onChange((job) => {
    if (job === id) wake();
  });
  try {
    while (!signal.aborted) {
      const changed = new Promise<void>((resolve) => (wake = resolve));
      const record = jobs.get(id)?.record;
      if (!record) {
        yield await withoutRecord();
        return;
      }
      if (isEnded(record.state)) {
        yield await finalView(context, views, record);
        return;
      }
      yield await views.view(record);
      await clock.sleep(PAUSE_MS, signal).catch(() => {});
      const sleeping = new AbortController();
      const abort = (): void => sleeping.abort();
      signal.addEventListener('abort', abort, { once: true });
      await Promise.race([changed, clock.sleep(REFRESH_MS, sleeping.signal).catch(() => {})]);
      sleeping.abort();
      signal.removeEventListener('abort', abort);
    }
  } finally {
    stop();
  }
}

/** The last view of a job: its trainer counts what was still open as failed, which takes a moment. */
async function finalView({ clock }: WatchContext, views: JobViews, record: JobRecord): Promise<Job> {
  const deadline = clock.monotonic() + FINAL_LEDGER_MS;
  for (;;) {
    const job = await views.view(record);
    const { ledger, requests = 0n } = job.progress ?? {};
    if (!ledger || BigInt(endedCount(ledger)) >= requests || clock.monotonic() >= deadline) return job;
    await clock.sleep(FINAL_LEDGER_MS / 50);
  }
}
