import type { SchedulerConfig } from '../../config/scheduler.ts';
import type { Contender } from './contender.ts';

/** The waiting jobs of one owner with one priority, the oldest first. */
interface Line {
  owner: string;
  priority: number;
  jobs: Contender[];
  next: number;
}

/** The queue: whose turn is next changes with every job that gets a place. */
export class WaitingJobs {
  readonly #owners: SchedulerConfig['owners'];
  readonly #lines: Line[] = [];
  readonly #has = new Map<string, number>();

  /** @param placed - jobs that have a place */
  constructor(waiting: readonly Contender[], placed: readonly Pick<Contender, 'owner'>[], owners: SchedulerConfig['owners']) {
    this.#owners = owners;
    for (const { owner } of placed) this.#has.set(owner, (this.#has.get(owner) ?? 0) + 1);
    const lines = new Map<string, Line>();
    for (const job of waiting) {
      const key = `${job.priority} ${job.owner}`;
      let line = lines.get(key);
      if (line === undefined) {
        line = { owner: job.owner, priority: job.priority, jobs: [], next: 0 };
        lines.set(key, line);
        this.#lines.push(line);
      }
      line.jobs.push(job);
    }
    for (const { jobs } of this.#lines) jobs.sort(byAge);
  }

  /** Places of an owner, with so many more, for its weight. */
  load(owner: string, more = 0): number {
    return ((this.#has.get(owner) ?? 0) + more) / weightOf(this.#owners, owner);
  }

  /** The job whose turn is next, of owners below their limit; undefined when there is none. */
  first({ limits = true } = {}): Contender | undefined {
    let best: Line | undefined;
    for (const line of this.#lines) {
      if (line.next >= line.jobs.length || (limits && this.isAtLimit(line.owner))) continue;
      if (best === undefined || this.#isBefore(line, best)) best = line;
    }
    return best?.jobs[best.next];
  }

  /** The first job of its owner and priority gets a place. */
  take({ owner, priority }: Contender): void {
    this.#lines.find((line) => line.owner === owner && line.priority === priority)!.next += 1;
    this.#has.set(owner, (this.#has.get(owner) ?? 0) + 1);
  }

  /** A job of the owner loses its place. */
  left(owner: string): void {
    this.#has.set(owner, this.#has.get(owner)! - 1);
  }

  /** Whether the owner has as many places as it may. */
  isAtLimit(owner: string): boolean {
    return (this.#has.get(owner) ?? 0) >= limitOf(this.#owners, owner);
  }

  #isBefore(one: Line, other: Line): boolean {
    if (one.priority !== other.priority) return one.priority > other.priority;
    const [mine, theirs] = [this.load(one.owner), this.load(other.owner)];
    if (mine !== theirs) return mine < theirs;
    return byAge(one.jobs[one.next]!, other.jobs[other.next]!) < 0;
  }
}

/** An owner's weight. */
export function weightOf(owners: SchedulerConfig['owners'], owner: string): number {
  return Object.hasOwn(owners, owner) ? owners[owner]!.weight : 1;
}

/** Jobs that an owner may have running. */
export function limitOf(owners: SchedulerConfig['owners'], owner: string): number {
  return (Object.hasOwn(owners, owner) ? owners[owner]!.maxRunning : undefined) ?? Infinity;
}

function byAge(a: Contender, b: Contender): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}
