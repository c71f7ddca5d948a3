import { MemoryServer } from '../../src/bus/memory/server.ts';
import { streamOf, type Topology } from '../../src/bus/topology.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { MemoryFiles } from '../../src/files/memory-files.ts';
import { topology as topologyOf, type TopologyOptions } from '../../src/protocol/topology.ts';
import { LEASES } from '../../src/protocol/names.ts';
import type { Random } from '../../src/random/random.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { FaultInjector, type Struck } from './faults/injector.ts';
import type { FaultPlan } from './faults/plan.ts';
import { Life } from './life.ts';
import { Network } from './network.ts';
import type { Observer } from './observer.ts';
import { Recorder } from './recorder.ts';

/** Longest virtual time of a run, in ms; a job that has not ended by then hangs. */
const LIMIT_MS = 86_400_000;

/** Options of {@link World}. */
export interface WorldOptions {
  seed: number;
  plan: FaultPlan;
  /** Faults that may strike, by id. Default: all. */
  only?: ReadonlySet<string> | undefined;
  /** Keeps every event for a trace. Default false. */
  trace?: boolean;
  /** Limits of streams and buckets. Default: those of a cluster. */
  topology?: TopologyOptions;
  observer: (world: World) => Observer;
}

/** What is outside every process: time, the network, NATS, the store, and what goes wrong. All of it follows from the seed. */
export class World {
  readonly seed: number;
  readonly plan: FaultPlan;
  readonly clock = new VirtualClock({ quietTurns: 1, limitMs: LIMIT_MS });
  readonly random: Random;
  readonly recorder: Recorder;
  readonly faults: FaultInjector;
  readonly network: Network;
  readonly server: MemoryServer;
  /** The process of nats-server, which may stand still. */
  readonly nats = new Life('nats', 1);
  readonly store = new MemoryStore();
  /** The disk of the machine. */
  files: MemoryFiles;
  readonly observer: Observer;
  /** What is wrong with the store for now. */
  storeTrouble: 'away' | 'full' | undefined;
  /** Nothing can be written to the disk of checkpoints for now. */
  diskIsFull = false;
  /** Lives in which an actor of this role works for a job. */
  working: (role: string, job: string) => string[] = () => [];
  /** Called when a fault kills a process. */
  onCrash: (life: Life) => void = () => {};
  #ids = 0;
  /** Requests and groups that kill whoever works on them, by stream and id. */
  readonly poison = new Map<string, Struck>();
  readonly #full = new Set<string>();
  readonly #topology: Topology;
  readonly #stalled = new Set<{ node: string; bucket: string }>();
  readonly #tokens = new Set<string>();
  /** Learners that were given a shard last. */
  readonly #shards = new Map<string, string>();

  constructor({ seed, plan, only, trace = false, topology, observer }: WorldOptions) {
    this.seed = seed;
    this.plan = plan;
    this.random = seededRandom(seed);
    const now = (): number => this.clock.monotonic();
    this.recorder = new Recorder({ now, keep: trace });
    this.faults = new FaultInjector({
      seed,
      plan,
      now,
      only,
      onStruck: ({ id, kind }) => this.recorder.note('faults', kind, id, { fault: id }),
    });
    this.files = new MemoryFiles({ clock: this.clock });
    this.network = new Network({ clock: this.clock, random: this.random.fork('network'), faults: this.faults });
    this.#topology = topologyOf(topology);
    this.server = new MemoryServer({ clock: this.clock, topology: this.#topology, killable: true });
    this.server.onBuried = ({ stream, id, reason }) => {
      this.recorder.note('nats', 'dead-letter', `${id} of ${stream}: ${reason}`);
      this.observer.saw('dead-letter');
    };
    this.observer = observer(this);
  }

  /** A number that no other call gives. */
  nextId(): number {
    this.#ids += 1;
    return this.#ids;
  }

  /** Kills a process. */
  crash(life: Life): void {
    if (life.hasEnded) return;
    this.recorder.note(life.node, 'crash', `${life.id} is killed`);
    life.end();
    this.onCrash(life);
  }

  /** Everything that was not synced to disk may be lost. */
  powerLost(): void {
    this.files = this.files.crash(this.random.fork(`power loss ${this.nextId()}`));
    this.observer.powerLost();
  }

  /** A stream, bucket or durable (`<stream>/<durable>`) is deleted. */
  lose(place: string): void {
    const [stream = '', durable] = place.split('/');
    const isThere = this.server.inspectTopology().some(({ name, created }) => name === stream && created !== undefined);
    if (!isThere || (durable !== undefined && !this.server.durablesOf(stream).some((one) => one.durable === durable))) return;
    if (stream === LEASES) this.server.deleteBucket(stream);
    else if (durable === undefined) this.server.deleteStream(stream);
    else this.server.deleteDurable(stream, durable);
    this.observer.lost({ stream, durable });
  }

  /** Nothing can be published to the stream; returns what ends that. */
  fill(stream: string): () => void {
    this.#full.add(stream);
    return () => this.#full.delete(stream);
  }

  /** The full stream that would store what is published on this subject. */
  fullStream(subject: string): string | undefined {
    if (this.#full.size === 0) return undefined;
    const name = streamOf(subject, this.#topology.streams)?.name;
    return name !== undefined && this.#full.has(name) ? name : undefined;
  }

  /** Changes of the bucket do not reach the node; returns what ends that. */
  stallWatches(node: string, bucket: string): () => void {
    const stalled = { node, bucket };
    this.#stalled.add(stalled);
    return () => this.#stalled.delete(stalled);
  }

  isStalled(node: string, bucket: string): boolean {
    return [...this.#stalled].some((stalled) => stalled.node === node && stalled.bucket === bucket);
  }

  /** Whether the store was given this batch before. */
  insertedBefore(token: string): boolean {
    if (this.#tokens.has(token)) return true;
    this.#tokens.add(token);
    return false;
  }

  /** Whether a shard is sent that another learner was given before. */
  isGivenAgain(shard: string, learner: string): boolean {
    if (!shard.startsWith('shard')) return false;
    const before = this.#shards.get(shard);
    this.#shards.set(shard, learner);
    return before !== undefined && before !== learner;
  }
}
