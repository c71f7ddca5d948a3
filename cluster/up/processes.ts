import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { Logger } from '../../src/telemetry/log.ts';
import type { NatsPasswords } from '../infra/nats/configuration.ts';
import { superviseNode, type SupervisedNode } from './child.ts';
import { NATS_FOLDER } from './lock.ts';
import { keepNatsServer, type KeptNatsServer } from './nats-keeper.ts';
import type { PlannedNode } from './plan.ts';

/** What nodes get to end in when they hold no work, or have nobody to hand it back to. */
export const GIVE_UP_MS = 1_000;

/** Clients first, then those that produce, so that what they made is still taken in. */
const STOP_ORDER: readonly RoleName[] = ['gateway', 'coordinator', 'rollout', 'learner', 'reward', 'parameter-server', 'store'];

/** Options of {@link ClusterProcesses}. */
export interface ProcessOptions {
  stateDir: string;
  log: Logger;
  /** Called with what is in trouble, in words. */
  onTrouble?: ((text: string) => void) | undefined;
}

/** The processes of an embedded cluster: its nats-server, where it has one, and the nodes. */
export class ClusterProcesses {
  readonly nodes: SupervisedNode[] = [];
  /** Resolves when nats-server is gone and cannot be started again. */
  readonly failed: Promise<MillraceError>;
  readonly #options: ProcessOptions;
  #fail!: (error: MillraceError) => void;
  #nats: KeptNatsServer | undefined;
  #natsGone = false;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.failed = new Promise((resolve) => (this.#fail = resolve));
  }

  /** Undefined until it was started. */
  get nats(): KeptNatsServer | undefined {
    return this.#nats;
  }

  /** Starts nats-server and keeps it running; returns its URL. */
  async startNats(passwords: NatsPasswords): Promise<string> {
    const { stateDir, log, onTrouble } = this.#options;
    const nats = await keepNatsServer({ storeDir: join(stateDir, NATS_FOLDER), passwords, log, onTrouble });
    this.#nats = nats;
    void nats.failed.then((error) => {
      this.#natsGone = true;
      this.#fail(new MillraceError('unavailable', `nats-server cannot be started again: ${error.message}`, { cause: error }));
    });
    return nats.url;
  }

  /** Starts a node and keeps it running. */
  startNode({ settings, env }: PlannedNode, through?: readonly string[]): SupervisedNode {
    const { log, onTrouble } = this.#options;
    const node = superviseNode({ settings, env, through, log, onTrouble });
    this.nodes.push(node);
    return node;
  }

  /** What a start waits for, in words. */
  waitsFor(): string[] {
    const waiting = this.nodes.flatMap(({ id, step }) => (step === undefined ? [] : [`${id} (${step})`]));
    return this.nodes.length === 0 ? ['nats-server'] : waiting;
  }

  /** Ends the nodes, role by role, and then nats-server. */
  async stop(timeoutMs?: number): Promise<void> {
    if (this.#natsGone) await Promise.all(this.nodes.map((node) => node.stop(GIVE_UP_MS)));
    for (const role of STOP_ORDER)
      await Promise.all(this.nodes.filter(({ roles }) => roles.includes(role)).map((node) => node.stop(timeoutMs)));
    await this.#nats?.stop();
  }
}
