import type { SchedulerConfig } from '../../../src/config/scheduler.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { JobRecord } from '../../../src/jobs/record.ts';
import { shareOut } from '../../../src/jobs/scheduler/shares.ts';
import { weightOf } from '../../../src/jobs/scheduler/waiting-jobs.ts';
import { GROUPS, ROLLOUTS } from '../../../src/protocol/names.ts';
import { ALL, groupSubject, rolloutSubject } from '../../../src/protocol/subjects.ts';
import type { NodeContext } from '../../runtime/context.ts';
import type { NodeList } from '../../runtime/nodes.ts';
import { rolloutSlots } from './capacity.ts';

/** How often the requests of all jobs are counted while several run. */
const COUNT_MS = 200;
/** Requests beyond a job's share that are to be on their way, in terms of what it ends between two counts. */
const AHEAD = 2;
/** Weight of the newest measurement in a rate. */
const NEWEST = 0.3;
/** Requests of evaluations that a job may have under way however many workers there are, and for each group that they run at once. */
const EVALUATION_WINDOW = 8;
const EVALUATIONS_PER_SLOT = 2;

/** What is known of a job's requests. */
interface Dispatched {
  /** In ROLLOUTS and GROUPS at the last count. */
  count: number;
  /** Sent since that was begun. */
  sent: number;
  /** Ended a millisecond, as measured between counts. */
  rate: number;
  /** It had more to send than it might. */
  hungry: boolean;
}

/** What {@link DispatchLimits} works with. */
export interface DispatchParts {
  nodes: NodeList;
  owners: SchedulerConfig['owners'];
  /** A job that had more to send than it might may send more now. */
  onRoom: (job: string) => void;
}

/**
 * How many requests each job may have under way while several jobs run: its share of the groups that the rollout workers run at once, and
 * as many more as it ends between two counts. What is under way is counted in the streams, for all jobs at once, so that every coordinator
 * sees the same and no crash can make it wrong. Groups that wait for their rewards count as well: a job whose rewards are slow sends less.
 *
 * A job that runs alone is not limited, but for its evaluations: the next job should not have to wait for all of them.
 */
export class DispatchLimits {
  readonly #context: NodeContext;
  readonly #parts: DispatchParts;
  readonly #jobs = new Map<string, Dispatched>();
  readonly #stop: () => void;
  #counts: ReadonlyMap<string, number> = new Map();
  #countedAt = 0;
  #shares: ReadonlyMap<string, number> | undefined;
  /** Jobs that had something to send since the last count. */
  readonly #asked = new Set<string>();
  #counting = false;

  constructor(context: NodeContext, parts: DispatchParts) {
    this.#context = context;
    this.#parts = parts;
    this.#stop = context.clock.every(COUNT_MS, () => this.#count());
  }

  /** Requests of evaluations that a job may have under way. */
  get evaluations(): number {
    return Math.max(EVALUATION_WINDOW, EVALUATIONS_PER_SLOT * rolloutSlots(this.#parts.nodes));
  }

  /** Requests that a job may send now. */
  roomOf(job: string): number {
    if (this.#running().length < 2) return Infinity;
    const { sent, rate, count } = this.#of(job);
    if (this.#shares?.has(job) !== true) {
      this.#asked.add(job);
      this.#shares = this.#shared();
    }
    const limit = (this.#shares.get(job) ?? 1) + Math.ceil(AHEAD * rate * COUNT_MS);
    return Math.max(0, limit - count - sent);
  }

  /** Whether the job has more to send than it may: it is called when there is room. */
  blocked(job: string, hungry: boolean): void {
    this.#of(job).hungry = hungry;
  }

  sent(job: string): void {
    this.#of(job).sent += 1;
  }

  /** The job's actor is not here any more. */
  forget(job: string): void {
    this.#jobs.delete(job);
  }

  close(): void {
    this.#stop();
  }

  #of(job: string): Dispatched {
    let dispatched = this.#jobs.get(job);
    if (dispatched === undefined) {
      dispatched = { count: this.#counts.get(job) ?? 0, sent: 0, rate: 0, hungry: false };
      this.#jobs.set(job, dispatched);
    }
    return dispatched;
  }

  #running(): JobRecord[] {
    return this.#context.jobs.running();
  }

  async #count(): Promise<void> {
    if (this.#counting || this.#jobs.size === 0) return;
    const { bus, clock, log } = this.#context;
    if (this.#running().length < 2) {
      this.#wake();
      return;
    }
    this.#counting = true;
    try {
      const at = clock.monotonic();
      const before = new Map([...this.#jobs].map(([job, { sent }]) => [job, sent]));
      const [rollouts, groups] = await Promise.all([
        bus.subjectCounts(ROLLOUTS, ALL.rollouts),
        bus.subjectCounts(GROUPS, ALL.groups),
      ]);
      const counts = new Map<string, number>();
      for (const { id } of this.#running()) {
        const count = (rollouts.get(rolloutSubject(id)) ?? 0) + (groups.get(groupSubject(id)) ?? 0);
        if (count > 0) counts.set(id, count);
      }
      this.#counted(counts, before, at);
    } catch (error) {
      log.warn({ err: MillraceError.from(error) }, 'requests under way could not be counted; tried again');
    } finally {
      this.#counting = false;
    }
    this.#wake();
  }

  /** @param before - what each job had sent when the count was begun */
  #counted(counts: ReadonlyMap<string, number>, before: ReadonlyMap<string, number>, at: number): void {
    const elapsed = at - this.#countedAt;
    for (const [job, dispatched] of this.#jobs) {
      const count = counts.get(job) ?? 0;
      const sent = before.get(job) ?? 0;
      const ended = Math.max(0, dispatched.count + sent - count);
      // Of a first count nothing is known of how long it took.
      if (this.#countedAt > 0 && elapsed < 10 * COUNT_MS) dispatched.rate += NEWEST * (ended / elapsed - dispatched.rate);
      dispatched.count = count;
      dispatched.sent -= sent;
    }
    this.#counts = counts;
    this.#countedAt = at;
    this.#asked.clear();
    this.#shares = undefined;
  }

  #wake(): void {
    for (const [job, { hungry }] of this.#jobs) if (hungry && this.roomOf(job) > 0) this.#parts.onRoom(job);
  }

  #shared(): ReadonlyMap<string, number> {
    const { nodes, owners } = this.#parts;
    const running = this.#running();
    const ofOwner = new Map<string, number>();
    for (const { owner } of running) ofOwner.set(owner, (ofOwner.get(owner) ?? 0) + 1);
    const demands = running.map(({ id, owner, config: { rollout } }) => {
      const count = this.#counts.get(id) ?? 0;
      const wants = count > 0 || this.#asked.has(id) || this.#jobs.get(id)?.hungry === true;
      const weight = weightOf(owners, owner) / ofOwner.get(owner)!;
      return { job: id, weight, wanted: wants ? Math.max(count, (rollout.maxStaleness + 1) * rollout.groupsPerRound) : 0 };
    });
    return shareOut(rolloutSlots(nodes), demands);
  }
}
