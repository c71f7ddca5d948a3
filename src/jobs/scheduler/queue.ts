import type { Contender } from './contender.ts';
import type { PlaceState } from './plan.ts';
import { limitOf, WaitingJobs } from './waiting-jobs.ts';

/** Where a waiting job is in the queue. */
export interface QueuePlace {
  /** 1 = the next. */
  position: number;
  /** Why it waits, in words. */
  reason: string;
}

/** A waiting job, with what took its place. */
export type WaitingJob = Contender & { preemptedBy?: string | undefined };

/** What {@link queuePlaces} reads of the scheduler's state. */
export type QueueState = Pick<PlaceState, 'places'> & {
  placed: readonly Pick<Contender, 'owner'>[];
  waiting: readonly WaitingJob[];
  owners: PlaceState['settings']['owners'];
};

/** The place of every waiting job: the order in which they would start if one place after the other became free, and nothing else changed. */
export function queuePlaces({ placed, waiting, places, owners }: QueueState): ReadonlyMap<string, QueuePlace> {
  const byId = new Map(waiting.map((job) => [job.id, job]));
  const counts = new Map<string, number>();
  for (const { owner } of placed) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const full = placed.length >= places ? `${placed.length} of ${places} jobs run` : undefined;
  const reasonOf = ({ owner, preemptedBy }: WaitingJob): string => {
    const [has, limit] = [counts.get(owner) ?? 0, limitOf(owners, owner)];
    const why = has >= limit ? `owner ${owner} has ${has} of ${limit} jobs running` : (full ?? 'it is about to start');
    return preemptedBy === undefined ? why : `${preemptedBy} took its place; ${why}`;
  };
  const queue = new WaitingJobs(waiting, placed, owners);
  const found = new Map<string, QueuePlace>();
  // Those of owners below their limit come first; then the rest, as if there were no limits.
  for (const limits of [true, false]) {
    for (let next = queue.first({ limits }); next; next = queue.first({ limits })) {
      queue.take(next);
      found.set(next.id, { position: found.size + 1, reason: reasonOf(byId.get(next.id)!) });
    }
  }
  return found;
}
