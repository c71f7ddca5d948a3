import { MillraceError } from '../../src/errors.ts';
import type { WorkRequest, WorkResponse } from '../../src/gen/millrace/v1/learner_pb.ts';
import { builtInKinds } from '../../src/policy/registry.ts';
import type { Link } from '../../src/rpc/link.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { LearnerSession, type SessionOptions } from './session.ts';
import { LearnerStatus } from './status.ts';
import { Turns } from './turns.ts';

/** Options of the learner role. */
export interface LearnerOptions extends Omit<SessionOptions, 'status' | 'onWork'> {
  /** Addresses of the parameter servers that are known now. */
  findServers: () => Promise<string[]>;
  connect: (address: string) => Promise<Link<WorkResponse, WorkRequest>>;
}

const HEARTBEAT_MS = 2_000;
/** How often parameter servers are looked for that have come since. */
const LOOK_MS = 2_000;
/** How soon they are looked for when none is connected. */
const RECONNECT_MS = 500;

/**
 * A learner connects to every parameter server, receives weights and shards of rounds, and answers each shard with sums of gradients, weights
 * and statistics. It computes one shard at a time; the servers share its time by the number of jobs that each trains. It owns nothing durable:
 * when it is lost, its shards go to other learners.
 */
export async function startLearner(context: NodeContext, options: LearnerOptions): Promise<Role> {
  const { clock } = context;
  const status = new LearnerStatus();
  const unlist = context.actors.enlist('learner', 'worker', () => status.read());
  await context.outside(builtInKinds.load());
  const connections = new Connections(context, options, status);
  connections.look();
  const stopLooking = clock.every(LOOK_MS, () => connections.look());

  return {
    name: 'learner',
    async stop() {
      stopLooking();
      status.stopping();
      await connections.close();
      unlist();
    },
  };
}

/** A learner's connections, one to each parameter server that is known and answers. */
class Connections {
  readonly #context: NodeContext;
  readonly #options: LearnerOptions;
  readonly #status: LearnerStatus;
  readonly #turns = new Turns<LearnerSession>();
  /** By address, those that are being made as well. Each resolves when it is over. */
  readonly #open = new Map<string, Promise<void>>();
  readonly #links = new Set<Link<WorkResponse, WorkRequest>>();
  readonly #stopping = new AbortController();
  #looking = false;
  #lookingSoon = false;

  constructor(context: NodeContext, options: LearnerOptions, status: LearnerStatus) {
    this.#context = context;
    this.#options = options;
    this.#status = status;
  }

  /** Connects to the servers that are not connected yet. */
  look(): void {
    if (this.#looking || this.#stopping.signal.aborted) return;
    this.#looking = true;
    void this.#connectAll().finally(() => {
      this.#looking = false;
      if (this.#open.size === 0) this.#lookSoon();
    });
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    for (const link of this.#links) link.close();
    await Promise.all(this.#open.values());
  }

  /** Where no server is connected. */
  #lookSoon(): void {
    if (this.#lookingSoon || this.#links.size > 0) return;
    this.#lookingSoon = true;
    this.#context.clock.sleep(RECONNECT_MS, this.#stopping.signal).then(
      () => {
        this.#lookingSoon = false;
        this.look();
      },
      () => undefined,
    );
  }

  async #connectAll(): Promise<void> {
    let addresses: string[];
    try {
      addresses = await this.#options.findServers();
    } catch (error) {
      this.#status.failed(MillraceError.from(error).message);
      this.#context.log.warn({ err: error }, 'parameter servers cannot be looked for; trying again');
      return;
    }
    for (const address of addresses) {
      if (this.#open.has(address) || this.#stopping.signal.aborted) continue;
      const over = this.#serve(address).finally(() => {
        this.#open.delete(address);
        this.#lookSoon();
      });
      this.#open.set(address, over);
    }
  }

  /** Until the connection is over. */
  async #serve(address: string): Promise<void> {
    const { clock, log } = this.#context;
    let link: Link<WorkResponse, WorkRequest>;
    try {
      link = await this.#options.connect(address);
    } catch (error) {
      this.#status.failed(MillraceError.from(error).message);
      log.warn({ err: error, address }, 'the parameter server does not answer; trying again');
      return;
    }
    log.info({ address }, 'connected to the parameter server');
    this.#links.add(link);
    this.#status.connected(true);
    const onWork = (): void => this.#turns.wake();
    const session = new LearnerSession(this.#context, link, { ...this.#options, status: this.#status, onWork });
    this.#turns.add(session);
    const stopHeartbeats = clock.every(HEARTBEAT_MS, () => session.heartbeat());
    if (this.#stopping.signal.aborted) link.close();
    await link.closed;
    stopHeartbeats();
    this.#turns.remove(session);
    session.close();
    this.#links.delete(link);
    this.#status.connected(this.#links.size > 0);
  }
}
