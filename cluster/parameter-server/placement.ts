import { spreadJobs } from '../../src/jobs/scheduler/spread.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { NodeContext } from '../runtime/context.ts';
import { watchRole, type NodeInfo } from '../runtime/nodes.ts';

/** A parameter server that was not heard of for so long takes no jobs; three heartbeats. */
const PEER_MS = 6_000;
/** How long a job that is for another parameter server waits for it, in ms. */
const PATIENCE_MS = 2_000;

interface Peer {
  id: string;
  /** Jobs that it has trainers for. */
  jobs: ReadonlySet<string>;
  heardAt: number;
}

/**
 * Which jobs without a trainer are for this parameter server: trainers are spread over the servers that are alive, each new one to the server
 * with the fewest. Every server decides for itself, from what the others tell with their heartbeats; the lease of a trainer sees to it that
 * a job has one, whatever they think. A job that nobody takes for a while is for everybody.
 */
export class Placement {
  readonly #context: NodeContext;
  readonly #peers = new Map<string, Peer>();
  /** Jobs for others that they have not taken: since when. */
  readonly #waiting = new Map<string, number>();
  readonly #stop: Promise<() => void>;

  constructor(context: NodeContext) {
    this.#context = context;
    this.#stop = watchRole(context.bus, 'parameter-server', (key, info) => this.#heard(key, info));
  }

  /** Resolves when the other parameter servers are known. */
  async ready(): Promise<void> {
    await this.#stop;
  }

  /** Whether no other parameter server is alive. */
  get isAlone(): boolean {
    return this.#alive().length === 0;
  }

  /**
   * Whether a job is to be taken as soon as it needs a trainer.
   *
   * @param held - the jobs that this server has trainers for
   */
  isForThis(job: string, held: readonly string[]): boolean {
    const peers = this.#alive();
    if (peers.length === 0) return true;
    const taken = new Set([...held, ...peers.flatMap(({ jobs }) => [...jobs])]);
    if (taken.has(job)) return false;
    const waiting = this.#context.jobs
      .active()
      .flatMap(({ record }) => (needsTrainer(record) && !taken.has(record.id) ? [record] : []));
    return this.#spread(waiting, held, peers).get(job) === this.#context.id;
  }

  /**
   * Those of the jobs whose trainer nobody has that this server is to take now.
   *
   * @param free - all of them: their leases are free
   */
  choose(free: readonly JobRecord[], held: readonly string[]): Set<string> {
    const now = this.#context.clock.monotonic();
    const servers = this.#spread(free, held, this.#alive());
    for (const job of this.#waiting.keys()) if (!servers.has(job)) this.#waiting.delete(job);
    for (const job of servers.keys()) if (!this.#waiting.has(job)) this.#waiting.set(job, now);
    const isOverdue = (job: string): boolean => now - this.#waiting.get(job)! >= PATIENCE_MS;
    return new Set([...servers].flatMap(([job, server]) => (server === this.#context.id || isOverdue(job) ? [job] : [])));
  }

  close(): void {
    void this.#stop.then((stop) => stop()).catch(() => undefined);
  }

  #spread(waiting: readonly JobRecord[], held: readonly string[], peers: readonly Peer[]): Map<string, string> {
    const { id, jobs } = this.#context;
    const free = new Set(waiting.map((record) => record.id));
    const isHeld = (job: string): boolean => {
      const record = jobs.get(job)?.record;
      return record !== undefined && !isEnded(record.state) && !free.has(job);
    };
    const loads = new Map(peers.map((peer) => [peer.id, [...peer.jobs].filter(isHeld).length]));
    loads.set(id, held.length);
    return spreadJobs(
      [...waiting].sort(byStart).map((record) => record.id),
      loads,
    );
  }

  #alive(): Peer[] {
    const now = this.#context.clock.monotonic();
    return [...this.#peers.values()].filter(({ heardAt }) => now - heardAt < PEER_MS);
  }

  #heard(key: string, info: NodeInfo | undefined): void {
    if (info === undefined) this.#peers.delete(key);
    else if (info.id !== this.#context.id) {
      const trainers = `${info.id}/parameter-server/`;
      const jobs = new Set(
        info.actors.flatMap(({ address }) => (address.startsWith(trainers) ? [address.slice(trainers.length)] : [])),
      );
      this.#peers.set(key, { id: info.id, jobs, heardAt: this.#context.clock.monotonic() });
    }
  }
}

/** Whether the job runs, or leaves something for its trainer to do. */
export function needsTrainer({ state, unsettled, checkpointDue }: JobRecord): boolean {
  return isEnded(state) ? unsettled.includes('books') : state === 'RUNNING' || checkpointDue === true;
}

/** The order in which jobs began to run, which is the same at every server. */
function byStart(a: JobRecord, b: JobRecord): number {
  const [first, second] = [a.runningSince ?? a.createdAt, b.runningSince ?? b.createdAt];
  return first - second || (a.id < b.id ? -1 : 1);
}
