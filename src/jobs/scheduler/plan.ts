import type { SchedulerConfig } from '../../config/scheduler.ts';
import type { Contender } from './contender.ts';
import { WaitingJobs } from './waiting-jobs.ts';

/** A job that has a place. */
export interface PlacedJob extends Contender {
  /** When it got its place, in Unix milliseconds. */
  since: number;
}

/** What {@link planPlaces} decides by. */
export interface PlaceState {
  now: number;
  /** Jobs that have a place, whether they run already or not. */
  placed: readonly PlacedJob[];
  /** Jobs in the queue. */
  waiting: readonly Contender[];
  /** Places there are. */
  places: number;
  settings: Pick<SchedulerConfig, 'minRunSeconds' | 'owners'>;
}

/** A job that loses its place to another one. */
export interface Preemption {
  job: string;
  /** The job that waits for it. */
  by: string;
}

/** What is to be done now. */
export interface PlacePlan {
  /** Waiting jobs that get a place, in order. */
  admit: string[];
  /** Jobs that go back into the queue, so that the first ones in it get a place next. */
  preempt: Preemption[];
}

/**
 * Who gets a place, and who loses one.
 *
 * - Of the waiting jobs the one with the highest priority comes first; among equal ones that of the owner with the fewest jobs for its
 *   weight, then the oldest. An owner at its own limit is passed over.
 * - A job waits until there is a place for it: none is started with less than it needs to get on.
 * - When no place is free, the first waiting job takes that of a job with a lower priority, or with the same one of an owner that has, also
 *   without that job, at least as much for its weight as the waiting job's owner with it: so no two jobs take places from each other in
 *   turn. Only jobs that have had their place for the minimum time lose it.
 */
export function planPlaces({ now, placed, waiting, places, settings }: PlaceState): PlacePlan {
  const queue = new WaitingJobs(waiting, placed, settings.owners);
  const admit: string[] = [];
  const preempt: Preemption[] = [];
  const has = [...placed];
  let free = places - placed.length;
  for (;;) {
    const next = queue.first();
    if (next === undefined) break;
    if (free <= 0) {
      const victim = victimFor(next, has, queue, now - settings.minRunSeconds * 1000);
      if (victim === undefined) break;
      has.splice(has.indexOf(victim), 1);
      queue.left(victim.owner);
      preempt.push({ job: victim.id, by: next.id });
    } else {
      free -= 1;
      admit.push(next.id);
    }
    queue.take(next);
  }
  return { admit, preempt };
}

/** The job that has the least right to its place and had it since `before`, if `next` may take it. */
function victimFor(next: Contender, placed: readonly PlacedJob[], queue: WaitingJobs, before: number): PlacedJob | undefined {
  const mayTake = (job: PlacedJob): boolean =>
    job.since <= before &&
    (job.priority < next.priority ||
      (job.priority === next.priority && job.owner !== next.owner && queue.load(job.owner, -1) >= queue.load(next.owner, 1)));
  let victim: PlacedJob | undefined;
  for (const job of placed) if (mayTake(job) && (victim === undefined || isBefore(victim, job, queue))) victim = job;
  return victim;
}

/** Whether `one` has more right to its place than `other`. */
function isBefore(one: PlacedJob, other: PlacedJob, queue: WaitingJobs): boolean {
  if (one.priority !== other.priority) return one.priority > other.priority;
  const [mine, theirs] = [queue.load(one.owner), queue.load(other.owner)];
  if (mine !== theirs) return mine < theirs;
  if (one.since !== other.since) return one.since < other.since;
  return one.id < other.id;
}
