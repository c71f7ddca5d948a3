import type { SchedulerConfig } from '../../../src/config/scheduler.ts';
import { MillraceError } from '../../../src/errors.ts';
import { transition, type JobRecord } from '../../../src/jobs/record.ts';
import type { Places } from '../../../src/jobs/scheduler/places.ts';
import { planPlaces, type PlacedJob, type Preemption } from '../../../src/jobs/scheduler/plan.ts';
import { acquireLease, type Lease } from '../../../src/protocol/lease.ts';
import type { JobEntry } from '../../jobs/directory.ts';
import { JobEvents } from '../../jobs/events.ts';
import type { NodeContext } from '../../runtime/context.ts';
import type { NodeList } from '../../runtime/nodes.ts';
import { placesOf } from './capacity.ts';
import type { PlaceList } from './place-list.ts';

/** Pause between two decisions in a row, in ms: each reads all jobs that wait, and a thousand may be created one after the other. */
const REST_MS = 50;

/** What a {@link Scheduler} works with. */
export interface SchedulerParts {
  nodes: NodeList;
  places: PlaceList;
  settings: SchedulerConfig;
}

/**
 * Decides which jobs run. One coordinator does, the one with the lease `scheduler`; each decision replaces the one it was made from by
 * compare-and-set, so that also a coordinator that lost the lease without noticing cannot admit more jobs than there are places.
 *
 * A job with a place has a ticket; its actor makes it RUNNING under that ticket, and notes it in the record. A place is free again only
 * when the record cannot become RUNNING under the ticket any more, so that whoever learned of the ticket long ago does no harm.
 */
export class Scheduler {
  readonly #context: NodeContext;
  readonly #parts: SchedulerParts;
  #lease: Lease | undefined;
  #deciding: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(context: NodeContext, parts: SchedulerParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Something may have changed: decides anew, if this coordinator is the one that does. Resolves when that is done. */
  decide(): Promise<void> {
    this.#again = true;
    this.#deciding ??= this.#run().finally(() => (this.#deciding = undefined));
    return this.#deciding;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#deciding?.catch(() => undefined);
    await this.#lease?.release();
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      if (this.#lease?.held !== true) this.#lease = await acquireLease(this.#context, 'scheduler', { owner: this.#context.id });
      if (this.#lease !== undefined && (await this.#round())) this.#again = true;
      else if (this.#again) await this.#context.clock.sleep(REST_MS);
    }
  }

  /** One decision. Returns whether another one is to follow at once. */
  async #round(): Promise<boolean> {
    const { jobs, clock } = this.#context;
    const { nodes, places: list, settings } = this.#parts;
    const found = await list.fetch();
    const places = placesOf(settings, nodes);
    const records = new Map(jobs.active().map(({ record }) => [record.id, record]));
    const before = found.places;
    const kept = await this.#kept(before, records);
    const adopted = adopt(kept, await this.#homeless(kept, records), { records, now: clock.now() });
    const state = placedJobs(adopted, records);
    const waiting = [...records.values()].filter(({ id, state: at }) => at === 'QUEUED' && !Object.hasOwn(adopted.admitted, id));
    const plan = planPlaces({ now: clock.now(), placed: state, waiting, places, settings });
    const after = { ...admit(adopted, plan.admit, clock.now()), places, owners: settings.owners };
    const isNew = found.damaged || found.revision === 0 || !isSame(before, after);
    if (isNew && !(await list.replace(after, found.revision))) return true;
    let preempted = false;
    for (const preemption of plan.preempt) preempted = (await this.#preempt(preemption)) || preempted;
    return preempted;
  }

  /** The decision without the jobs that do not need their place any more. */
  async #kept(before: Places, records: ReadonlyMap<string, JobRecord>): Promise<Places> {
    const admitted: Places['admitted'] = {};
    for (const [id, place] of Object.entries(before.admitted)) {
      const known = records.get(id);
      // What is known here may be old: a place is free only when the record itself says so.
      if ((known && needsPlace(known, place.ticket)) || !(await this.#frees(id, place.ticket))) admitted[id] = place;
    }
    return { ...before, admitted };
  }

  /**
   * Jobs that run without a place: older versions started them, or the decision was lost. A coordinator that stood still knows old records:
   * of a job that has lost its place since then, the record itself says so.
   */
  async #homeless({ admitted }: Places, records: ReadonlyMap<string, JobRecord>): Promise<string[]> {
    const found: string[] = [];
    for (const { id, state } of records.values()) {
      if (state !== 'RUNNING' || Object.hasOwn(admitted, id)) continue;
      if ((await this.#context.jobs.fetch(id))?.record.state === 'RUNNING') found.push(id);
    }
    return found.sort();
  }

  /** Whether a place is free, for good: nobody can make the job RUNNING under its ticket any more. */
  async #frees(id: string, ticket: number): Promise<boolean> {
    const { jobs } = this.#context;
    const newest = await jobs.fetch(id);
    if (newest === undefined) return true;
    const { record } = newest;
    if (needsPlace(record, ticket)) return false;
    if (record.ticket >= ticket) return true;
    const voided = await jobs.update(id, (now) =>
      needsPlace(now, ticket) || now.ticket >= ticket ? undefined : { ...now, ticket },
    );
    return !needsPlace(voided.record, ticket);
  }

  /** Returns whether the job was running until now. */
  async #preempt({ job, by }: Preemption): Promise<boolean> {
    const { jobs, bus, clock, id: node, log } = this.#context;
    let changed = false;
    let entry: JobEntry;
    try {
      entry = await jobs.update(job, (record) => {
        changed = record.state === 'RUNNING';
        return changed ? transition(record, 'QUEUED', { now: clock.now(), preemptedBy: by }) : undefined;
      });
    } catch (thrown) {
      log.warn({ err: MillraceError.from(thrown), job, by }, 'a job could not be sent back into the queue; tried again');
      return false;
    }
    if (!changed) return false;
    log.info({ job, by }, 'a job goes back into the queue for another one');
    await new JobEvents(bus, clock, node, job).publish(
      'preempted',
      entry.revision,
      `its place goes to ${by}; it goes on by itself`,
    );
    return true;
  }
}

/** Whether a job with this ticket runs, or is yet to start. */
function needsPlace({ state, ticket: used }: JobRecord, ticket: number): boolean {
  return state === 'RUNNING' || (state === 'QUEUED' && used < ticket);
}

/** Gives places to jobs that run without one. */
function adopt(
  before: Places,
  homeless: readonly string[],
  { records, now }: { records: ReadonlyMap<string, JobRecord>; now: number },
): Places {
  // A decision that was lost had given tickets up to these.
  const tickets = Math.max(before.tickets, ...[...records.values()].map(({ ticket }) => ticket));
  return admit({ ...before, tickets }, homeless, now);
}

function admit(before: Places, jobs: readonly string[], now: number): Places {
  if (jobs.length === 0) return before;
  const admitted = { ...before.admitted };
  let { tickets } = before;
  for (const job of jobs) admitted[job] = { ticket: (tickets += 1), since: Math.round(now) };
  return { ...before, tickets, admitted };
}

function placedJobs({ admitted }: Places, records: ReadonlyMap<string, JobRecord>): PlacedJob[] {
  return Object.entries(admitted).map(([id, { since }]) => {
    const { owner = '', priority = 0, createdAt = 0 } = records.get(id) ?? {};
    return { id, owner, priority, createdAt, since };
  });
}

function isSame(before: Places, after: Places): boolean {
  if (before.tickets !== after.tickets || before.places !== after.places) return false;
  // Without a new ticket jobs can only have lost their places.
  if (Object.keys(before.admitted).length !== Object.keys(after.admitted).length) return false;
  return JSON.stringify(before.owners) === JSON.stringify(after.owners);
}
