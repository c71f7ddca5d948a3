import { setTimeout as sleep } from 'node:timers/promises';
import { JetStreamHealth } from '../../src/bus/nats/health.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Logger } from '../../src/telemetry/log.ts';
import { nodeFiles } from '../../src/files/node-files.ts';
import { fullDiskText, NEEDED_BYTES } from '../infra/disk-room.ts';
import { inboxPrefix } from '../infra/nats/access.ts';
import type { NatsPasswords } from '../infra/nats/configuration.ts';
import { startNatsServer, type NatsServerProcess } from '../infra/nats-server.ts';

/** Options of {@link keepNatsServer}. */
export interface NatsKeeperOptions {
  /** Folder of the server's files, as for {@link startNatsServer}. */
  storeDir: string;
  /** As for {@link startNatsServer}. */
  passwords?: NatsPasswords | undefined;
  log: Logger;
  /** Told in words when the server is in trouble and when it is well again. */
  onTrouble?: ((text: string) => void) | undefined;
  /** JetStream that answers nothing for so long is started again, in ms. Default 20_000. */
  silenceMs?: number;
}

/** A nats-server that is started again, on the same port and files, when it dies or its JetStream answers nothing. */
export interface KeptNatsServer {
  readonly url: string;
  /** Undefined while it is being started again. */
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Resolves when it cannot be started again. */
  readonly failed: Promise<MillraceError>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

const CHECK_MS = 1_000;
const SILENCE_MS = 20_000;
/** On a full disk JetStream of 2.9 locks itself up without a word: nobody has to wait whether it was only slow. */
const SILENCE_ON_FULL_DISK_MS = 5_000;
/** Less than a batch of trajectories. */
const FULL_BYTES = 16 * 1024 ** 2;
const RETRY_MS = 1_000;
/** Starts that fail one after the other, with room on the disk. */
const MAX_STARTS = 5;

/** Starts nats-server (errors of {@link startNatsServer}) and keeps it answering. */
export async function keepNatsServer(options: NatsKeeperOptions): Promise<KeptNatsServer> {
  const first = await startNatsServer({ storeDir: options.storeDir, passwords: options.passwords });
  const keeper = new NatsKeeper(options, first);
  void keeper.keep();
  return keeper;
}

class NatsKeeper implements KeptNatsServer {
  readonly url: string;
  readonly failed: Promise<MillraceError>;
  readonly #options: NatsKeeperOptions;
  readonly #stop = new AbortController();
  #fail!: (error: MillraceError) => void;
  #server: NatsServerProcess;
  #running = true;
  #restarts = 0;
  #kept: Promise<void> | undefined;

  constructor(options: NatsKeeperOptions, server: NatsServerProcess) {
    this.#options = options;
    this.#server = server;
    this.url = server.url;
    this.failed = new Promise((resolve) => (this.#fail = resolve));
  }

  get pid(): number | undefined {
    return this.#running ? this.#server.pid : undefined;
  }

  get restarts(): number {
    return this.#restarts;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#kept;
    await this.#server.stop();
  }

  /** Until it is stopped or cannot be started again. */
  keep(): Promise<void> {
    this.#kept ??= this.#watch().catch((thrown: unknown) => this.#fail(MillraceError.from(thrown)));
    return this.#kept;
  }

  async #watch(): Promise<void> {
    for (;;) {
      const trouble = await this.#trouble();
      if (trouble === undefined) return;
      this.#options.log.error({ pid: this.#server.pid }, `${trouble}; starting it again`);
      this.#options.onTrouble?.(`${trouble}; starting it again`);
      await this.#server.stop();
      this.#running = false;
      const server = await this.#startAgain();
      if (server === undefined) return;
      this.#server = server;
      this.#running = true;
      this.#restarts += 1;
      this.#options.log.info({ pid: server.pid }, 'nats-server runs again');
      this.#options.onTrouble?.('nats-server runs again');
    }
  }

  /** Waits until something is wrong with the running server and says what; undefined when it is to be stopped. */
  async #trouble(): Promise<string | undefined> {
    const server = this.#server;
    const { signal } = this.#stop;
    let ended: string | undefined;
    void server.exited.then((how) => (ended = how.signal ?? `exit code ${how.code}`));
    const { passwords } = this.#options;
    const login = passwords && { user: 'supervisor', password: passwords.supervisor, inboxPrefix: inboxPrefix('supervisor') };
    const health = new JetStreamHealth(this.url, login);
    let wellAt = performance.now();
    let wasFull = false;
    try {
      for (;;) {
        await Promise.race([sleep(CHECK_MS, undefined, { signal }).catch(() => {}), server.exited]);
        if (signal.aborted) return undefined;
        if (ended !== undefined) return `nats-server ended by itself (${ended})`;
        if (await health.answers(CHECK_MS)) {
          wellAt = performance.now();
          wasFull = false;
          continue;
        }
        wasFull ||= (await this.#room()) < FULL_BYTES;
        const silence = performance.now() - wellAt;
        if (wasFull && silence > SILENCE_ON_FULL_DISK_MS)
          return `the disk of ${this.#options.storeDir} is full and nats-server does not answer`;
        if (silence > (this.#options.silenceMs ?? SILENCE_MS))
          return `nats-server has not answered for ${Math.round(silence / 1000)} s`;
      }
    } finally {
      await health.close();
    }
  }

  /** On the port it had, where its clients look for it. */
  async #startAgain(): Promise<NatsServerProcess | undefined> {
    const { storeDir, passwords, log, onTrouble } = this.#options;
    const { signal } = this.#stop;
    let told = false;
    for (let failures = 0; ;) {
      if (signal.aborted) return undefined;
      const room = await this.#room();
      if (room >= NEEDED_BYTES) {
        try {
          return await startNatsServer({ storeDir, passwords, port: this.#server.port, signal });
        } catch (thrown) {
          if (signal.aborted) return undefined;
          const error = MillraceError.from(thrown);
          log.error({ error: error.message }, 'nats-server does not start again');
          if (++failures >= MAX_STARTS) throw error;
        }
      } else if (!told) {
        told = true;
        const text = fullDiskText({ folder: storeDir, freeBytes: room, neededBytes: NEEDED_BYTES });
        onTrouble?.(`waiting for room: ${text}; nothing is lost, free some and it goes on`);
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Bytes that are free where the server writes; as much as is wanted where that cannot be told. */
  async #room(): Promise<number> {
    return (await nodeFiles.freeBytes(this.#options.storeDir)) ?? NEEDED_BYTES;
  }
}
