import { resolve } from 'node:path';
import type { Logger } from 'pino';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { NodeEnd } from '../runtime/node-end.ts';
import { roleNames, type NodeSettings } from '../runtime/settings/node.ts';
import { deferred } from './deferred.ts';
import { NodeLife } from './node-life.ts';
import { cannotStart, essence, mostStarts } from './start-failure.ts';

/** Options of {@link superviseNode}. */
export interface ChildOptions {
  settings: NodeSettings;
  /** Added to the environment of this process. Default: nothing. */
  env?: Readonly<Record<string, string>>;
  /** Command that the process is started through. Default: none. */
  through?: readonly string[] | undefined;
  log: Logger;
  /** Told in words when the node ends before it is up, also when it was started again. */
  onTrouble?: ((text: string) => void) | undefined;
}

/** A node process that is started again whenever it dies. */
export interface SupervisedNode {
  readonly id: string;
  readonly roles: readonly RoleName[];
  readonly pid: number | undefined;
  readonly restarts: number;
  /** What it does while it starts for the first time; undefined once it is up. */
  readonly step: string | undefined;
  /** Resolves when the node is up for the first time; rejects when it cannot start. */
  readonly ready: Promise<void>;
  /** Port of its ClickHouse interface: the one that it had when it was ready first, and has again after a restart. */
  readonly clickhousePort: number | undefined;
  /** gRPC address of the process as it is now. */
  address(): Promise<string>;
  /** Asks it to end and kills it when it does not within `timeoutMs` (default 10 s). */
  stop(timeoutMs?: number): Promise<void>;
}

const FIRST_DELAY_MS = 200;
const LAST_DELAY_MS = 5_000;
/** A node that ran this long has shown that it can: the next restart is quick again. */
const STABLE_MS = 20_000;

/** Starts a node process and keeps it running. */
export function superviseNode(options: ChildOptions): SupervisedNode {
  return new NodeSupervisor(options);
}

class NodeSupervisor implements SupervisedNode {
  readonly id: string;
  readonly roles: readonly RoleName[];
  readonly #options: ChildOptions;
  readonly #ready = deferred<void>();
  #life: NodeLife | undefined;
  #starts = 0;
  #wasReady = false;
  #stopping = false;
  #delay = FIRST_DELAY_MS;
  #timer: NodeJS.Timeout | undefined;
  #address = deferred<string>();
  #clickhousePort: number | undefined;
  #previousEnd: NodeEnd | undefined;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.id = options.settings.id;
    this.roles = roleNames(options.settings);
    this.#start();
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get pid(): number | undefined {
    return this.#life?.pid;
  }

  get restarts(): number {
    return this.#starts - 1;
  }

  get step(): string | undefined {
    return this.#wasReady ? undefined : (this.#life?.step ?? 'loading');
  }

  get clickhousePort(): number | undefined {
    return this.#clickhousePort;
  }

  address(): Promise<string> {
    return this.#address.promise;
  }

  async stop(timeoutMs = 10_000): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    await this.#life?.stop(timeoutMs);
  }

  #start(): void {
    const { settings, env, through = [], log, onTrouble } = this.#options;
    this.#starts += 1;
    this.#address = deferred<string>();
    const life = new NodeLife({
      settings: withClickHousePort(settings, this.#clickhousePort),
      history: { afterCrash: this.#starts > 1, wasUp: this.#wasReady, previousEnd: this.#previousEnd },
      ...{ env, through, log, onTrouble },
      onReady: ({ address, clickhousePort }) => {
        this.#wasReady = true;
        this.#clickhousePort ??= clickhousePort;
        this.#address.resolve(address);
        this.#ready.resolve();
      },
    });
    this.#life = life;
    void life.ended.then((end) => this.#ended(life, end));
  }

  #ended(life: NodeLife, end: NodeEnd): void {
    this.#life = undefined;
    if (this.#stopping) return;
    const { id } = this;
    const { settings, log, onTrouble } = this.#options;
    const { how, last } = end;
    const { lastError, startedAt } = life;
    this.#previousEnd = end;
    log.warn({ node: id, pid: life.pid, error: lastError.trim(), last }, `node ended (${how}); starting it again`);
    const givesUp = !this.#wasReady && this.#starts >= mostStarts(life.failure);
    // Ctrl-C in a terminal reaches every process, and this one as well: it is about to end too.
    if (!life.isReady && how !== 'SIGINT')
      onTrouble?.(`node ${id} did not start (${how}): ${essence(lastError)}; ${givesUp ? 'giving up' : 'trying again'}`);
    if (givesUp) {
      const logFile = resolve(settings.stateDir, 'logs', `${id}.log`);
      const error = cannotStart({ id, logFile }, { how, lastError, startedAt });
      this.#address.reject(error);
      this.#ready.reject(error);
      return;
    }
    this.#delay = Date.now() - startedAt > STABLE_MS ? FIRST_DELAY_MS : Math.min(this.#delay * 2, LAST_DELAY_MS);
    this.#timer = setTimeout(() => this.#start(), this.#delay);
  }
}

/** Clients know where the ClickHouse interface was: it opens there again. */
function withClickHousePort(settings: NodeSettings, port: number | undefined): NodeSettings {
  if (port === undefined) return settings;
  const roles = settings.roles.map((section) =>
    section.role === 'store' && section.clickhouseInterface
      ? { ...section, clickhouseInterface: { ...section.clickhouseInterface, port } }
      : section,
  );
  return { ...settings, roles };
}
