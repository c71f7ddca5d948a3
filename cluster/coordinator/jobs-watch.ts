import type { Clock } from '../../src/clock/clock.ts';
import type { JobsChange, JobsWatch } from '../admin/backend.ts';
import type { JobListing } from '../admin/job-listing.ts';

/** What waits together is sent together: trainers report dozens of times a second. */
const PAUSE_MS = 250;
/** Running jobs are looked at this often: what they wait for changes without any event. */
const REFRESH_MS = 1_000;
/** Own writes are seen before those of others with lower revisions: what a resumed watch looks back beyond its revision. */
const LOOK_BACK = 100;

/** Where {@link watchJobs} sees the jobs. */
export interface WatchedJobs {
  clock: Clock;
  list: () => JobListing[];
  get: (id: string) => JobListing | undefined;
  /** Calls back with the id of a job that has changed. Returns a function that stops it. */
  onChange: (handler: (id: string) => void) => () => void;
}

/** Yields the wanted jobs, those of the lowest revisions first, and then each one that changes. A job that is not wanted any more comes once more. */
export async function* watchJobs(
  { clock, list, get, onChange }: WatchedJobs,
  { isWanted, since, signal }: JobsWatch,
): AsyncGenerator<JobsChange> {
  const changed = new Set<string>();
  const inside = new Set<string>();
  let wake = (): void => {};
  const note = (id: string): void => {
    changed.add(id);
    wake();
  };
  const stops = [
    onChange(note),
    clock.every(REFRESH_MS, () => {
      for (const id of inside) if (get(id)?.state === 'RUNNING') note(id);
    }),
  ];
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    const isResumed = since !== undefined;
    const known = isResumed ? since - LOOK_BACK : -1;
    for (const listing of list()) {
      if (isWanted(listing)) inside.add(listing.id);
      if (listing.revision > known || listing.state === 'RUNNING') changed.add(listing.id);
      // What has left since, nobody knows: whatever changed meanwhile and is not wanted.
      if (isResumed && listing.revision > known) inside.add(listing.id);
    }
    let revision = 0;
    while (!signal.aborted) {
      const next = new Promise<void>((resolve) => (wake = resolve));
      const listings = [...changed].flatMap((id) => get(id) ?? []).sort((a, b) => a.revision - b.revision);
      changed.clear();
      for (const listing of listings) {
        const wanted = isWanted(listing);
        if (wanted) inside.add(listing.id);
        else if (!inside.delete(listing.id)) continue;
        if (signal.aborted) return;
        revision = Math.max(revision, listing.revision);
        yield { job: await listing.view(), left: !wanted, revision };
      }
      if (changed.size === 0) await next;
      if (!signal.aborted) await clock.sleep(PAUSE_MS, signal).catch(() => {});
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    for (const stop of stops) stop();
  }
}
