import { MillraceError } from '../../src/errors.ts';
import type { WorkRequest, WorkResponse } from '../../src/gen/millrace/v1/learner_pb.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { Link } from '../../src/rpc/link.ts';
import type { Life } from './life.ts';
import { simulatedLinkPair } from './ports/link.ts';
import { startProcess, type ProcessOptions, type SimulatedProcess } from './process.ts';

/** A node of the cluster and its role. */
export interface NodePlan {
  id: string;
  role: RoleName;
}

/** How long the supervisor of a node waits before it starts it again, in ms. */
const RESTART_MS = 500;

/** States of an actor that does no more work. */
const ENDING: ReadonlySet<string> = new Set(['stopping', 'stopped', 'failed']);

/** How long a process that is stopped may take, in ms. */
const STOP_MS = 15_000;
/** How many nodes of some roles a run has. */
export interface WorkerCounts {
  coordinators: number;
  /** Default: 1. */
  parameterServers?: number;
  rollouts: number;
  learners: number;
}

/** The nodes of a run: one of each role, and as many workers as are asked for. */
export function nodesOf({ coordinators, parameterServers = 1, rollouts, learners }: WorkerCounts): NodePlan[] {
  const several = (role: RoleName, count: number): NodePlan[] =>
    Array.from({ length: count }, (_, i) => ({ id: `${role}-${i + 1}`, role }));
  return [
    { id: 'store', role: 'store' },
    ...several('coordinator', coordinators),
    ...(parameterServers === 1
      ? [{ id: 'parameter-server', role: 'parameter-server' } as const]
      : several('parameter-server', parameterServers)),
    ...several('reward', 1),
    ...several('rollout', rollouts),
    ...several('learner', learners),
  ];
}

/** All processes of a simulated cluster. A process that ends is started again, as its supervisor does. */
export class SimulatedCluster {
  readonly #options: Omit<ProcessOptions, 'connect'>;
  readonly #plans: readonly NodePlan[];
  /** The newest process of each node. */
  readonly #processes = new Map<string, SimulatedProcess>();
  /** All that have not ended; with zombies. */
  readonly #alive = new Set<SimulatedProcess>();
  #lives = 0;
  #isClosed = false;

  constructor(plans: readonly NodePlan[], options: Omit<ProcessOptions, 'connect'>) {
    this.#plans = plans;
    this.#options = options;
    options.world.onCrash = (life) => this.#crashed(life);
    options.world.working = (role, job) => this.#working(role, job);
  }

  get nodes(): readonly NodePlan[] {
    return this.#plans;
  }

  start(): void {
    for (const plan of this.#plans) this.#start(plan, false);
  }

  /** The newest process of a node. */
  process(node: string): SimulatedProcess {
    return this.#processes.get(node)!;
  }

  /** A process of this role that runs, the first by its id. */
  running(role: RoleName): SimulatedProcess | undefined {
    return this.allRunning(role)[0];
  }

  /** All processes of this role that run. */
  allRunning(role: RoleName): SimulatedProcess[] {
    return [...this.#processes.values()].filter((process) => process.role === role && process.life.state === 'running');
  }

  /** Kills the node's process. */
  crash(node: string): void {
    this.#options.world.crash(this.process(node).life);
  }

  /** Kills every process, as a machine that loses power does. */
  crashAll(): void {
    for (const process of [...this.#alive]) this.#options.world.crash(process.life);
  }

  /** Stops a node in order and starts it again. */
  async restart(node: string): Promise<void> {
    const process = this.process(node);
    if (process.life.hasEnded) return;
    this.#options.world.recorder.note(node, 'stop', process.life.id);
    // One that cannot stop in order is killed by its supervisor.
    const { clock } = this.#options.world;
    await Promise.race([process.stop().catch(() => {}), clock.sleep(STOP_MS)]);
    process.life.end();
    this.#alive.delete(process);
    if (this.#processes.get(node) === process) this.#start(this.#plan(node), false);
  }

  /** The node's process stands still; returns what lets it go on. */
  pause(node: string): () => void {
    const { life, bus } = this.process(node);
    this.#options.world.recorder.note(node, 'pause', life.id);
    life.pause();
    bus.silent();
    return () => {
      this.#options.world.recorder.note(node, 'resume', life.id);
      life.resume();
    };
  }

  /** Starts another process in the place of one that stands still. */
  replace(node: string): void {
    this.#start(this.#plan(node), true);
  }

  /** No process can say for a while that it still works at what it has. */
  silent(): void {
    for (const { bus } of this.#alive) bus.silent();
  }

  #working(role: string, job: string): string[] {
    const address = `${role}/${job}`;
    return [...this.#alive].flatMap((process) => {
      const { life } = process;
      const works = process.actors().some((actor) => actor.address.endsWith(address) && !ENDING.has(actor.state));
      return life.isRunning && works ? [life.id] : [];
    });
  }

  /** Ends all processes, without a word. */
  close(): void {
    this.#isClosed = true;
    for (const process of this.#alive) process.life.end();
  }

  #plan(node: string): NodePlan {
    return this.#plans.find(({ id }) => id === node)!;
  }

  #start({ id, role }: NodePlan, afterCrash: boolean): void {
    this.#lives += 1;
    const connect = (from: Life, address: string): Link<WorkResponse, WorkRequest> => this.#connect(from, address);
    const process = startProcess({ node: id, role, number: this.#lives, afterCrash }, { ...this.#options, connect });
    this.#processes.set(id, process);
    this.#alive.add(process);
  }

  #crashed(life: Life): void {
    for (const process of this.#alive) if (process.life === life) this.#alive.delete(process);
    if (this.#isClosed || this.#processes.get(life.node)?.life !== life) return;
    void this.#options.world.clock.sleep(RESTART_MS).then(() => {
      if (!this.#isClosed && this.#processes.get(life.node)?.life === life) this.#start(this.#plan(life.node), true);
    });
  }

  #connect(from: Life, address: string): Link<WorkResponse, WorkRequest> {
    const { world } = this.#options;
    const server = this.#processes.get(address);
    if (!server || server.life.hasEnded || world.network.isCut(from.node, address))
      throw new MillraceError('unavailable', `${address} does not answer`);
    const [theirs, ours] = simulatedLinkPair<WorkRequest, WorkResponse>(world, server.life, from);
    server.life.pass(() => server.accept(theirs));
    return ours;
  }
}
