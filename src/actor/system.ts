import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import type { Random } from '../random/random.ts';
import { Actor, type ActorLog } from './actor.ts';
import { formatAddress } from './address.ts';
import type { ActorRef, ActorStatus, Behaviour, WorkerStatus } from './behaviour.ts';
import type { Supervision } from './supervision.ts';

/** Options of {@link ActorSystem}. */
export interface ActorSystemOptions {
  /** Node id: the first part of every address. */
  node: string;
  clock: Clock;
  /** For the jitter of restarts. */
  random: Random;
  /** Default: nothing is logged. */
  log?: ActorLog;
  /** Told when the supervisor gives an actor up; a node usually ends itself or re-spawns. */
  onFailed?(address: string, error: MillraceError): void;
}

/** Options of {@link ActorSystem.spawn}. */
export interface SpawnOptions {
  /** Messages that wait at most. Default 1024. */
  mailboxCapacity?: number;
  supervision?: Supervision;
  /** Told before each restart: what was thrown, and how long the actor waits. */
  onRestart?(error: MillraceError, waitMs: number): void;
  /** Told, in place of the system's `onFailed`, when the supervisor gives this actor up. */
  onFailed?(error: MillraceError): void;
}

const SILENT: ActorLog = { warn: () => undefined, error: () => undefined };

/**
 * The actors of one node. Waits on its clock only: under a virtual clock and a seeded Random everything that happens is
 * determined by the messages.
 */
export class ActorSystem {
  readonly node: string;
  readonly #options: ActorSystemOptions;
  readonly #random: Random;
  readonly #actors = new Map<string, Actor<never>>();
  readonly #workers = new Map<string, () => WorkerStatus>();

  constructor(options: ActorSystemOptions) {
    this.node = options.node;
    this.#options = options;
    this.#random = options.random;
  }

  /**
   * Starts an actor at `<node>/<role>/<name>`. `already_exists` while one lives there; one that has failed is replaced.
   * Give a function that makes the behaviour where a restart should begin with fresh state.
   */
  spawn<M>(role: string, name: string, behaviour: Behaviour<M> | (() => Behaviour<M>), options: SpawnOptions = {}): ActorRef<M> {
    const address = this.#free(role, name);
    const actor = new Actor<M>({
      address,
      behaviour,
      capacity: options.mailboxCapacity ?? 1024,
      supervision: options.supervision ?? {},
      clock: this.#options.clock,
      random: this.#random.fork(address),
      log: this.#options.log ?? SILENT,
      restarting: options.onRestart && ((error, waitMs) => options.onRestart?.(error, waitMs)),
      ended: (error) => {
        if (error !== undefined) {
          if (options.onFailed) options.onFailed(error);
          else this.#options.onFailed?.(address, error);
        } else if (this.#actors.get(address) === (actor as unknown as Actor<never>)) this.#actors.delete(address);
      },
    });
    this.#actors.set(address, actor as unknown as Actor<never>);
    return actor;
  }

  /**
   * Lists a worker, which reports its own status, at `<node>/<role>/<name>`. Returns a function that takes it off the list.
   * `already_exists` as in {@link spawn}.
   */
  enlist(role: string, name: string, status: () => WorkerStatus): () => void {
    const address = this.#free(role, name);
    this.#workers.set(address, status);
    return () => this.#workers.delete(address);
  }

  /** Actors that live, those that have failed, and workers, by address. */
  list(): ActorStatus[] {
    const workers = [...this.#workers].map(([address, status]) => ({ address, mailboxDepth: 0, restarts: 0, ...status() }));
    const actors = [...this.#actors.values()].map((actor) => actor.status());
    return [...actors, ...workers].sort((a, b) => (a.address < b.address ? -1 : 1));
  }

  /** Stops all actors, the youngest first. Each has `timeoutMs` (default 5000). */
  async stop(timeoutMs = 5000): Promise<void> {
    for (const [address, actor] of [...this.#actors].reverse()) {
      await actor.stop(timeoutMs);
      this.#actors.delete(address);
    }
  }

  /** The address, which nobody has. */
  #free(role: string, name: string): string {
    const address = formatAddress(this.node, role, name);
    const present = this.#actors.get(address);
    if ((present !== undefined && present.status().state !== 'failed') || this.#workers.has(address)) {
      throw new MillraceError('already_exists', `there is an actor at ${address}; stop it first or take another name`);
    }
    return address;
  }
}
