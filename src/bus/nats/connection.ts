import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { errors } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
import { MillraceError } from '../../errors.ts';
import { checkServerVersion } from '../features.ts';
import { natsAddresses } from './address.ts';
import { Disconnected, isTransient, toBusError } from './errors.ts';
import { loginOptions, type NatsLogin } from './login.ts';

/** Options of {@link openJetStream}. */
export interface JetStreamOptions extends NatsLogin {
  /** Addresses, in one text with commas between them or in several; credentials may stand in the first: `nats://user:password@host:4222`. */
  servers: string | string[];
  /** Shown by the server's monitoring. */
  name: string;
  /** Begins the subjects that answers come to, where the server gives each user its own. Default '_INBOX'. */
  inboxPrefix?: string | undefined;
  /**
   * Does without what takes rights over streams: makes no stream, durable or consumer of its own, waits for the durables that others make,
   * and reads one message at a time. Default false.
   */
  worker?: boolean | undefined;
  /** Begins the subjects of JetStream's API, where the account has it under another name. Default '$JS.API'. */
  apiPrefix?: string | undefined;
  /** Messages that are given up go to `<prefix>.<stream>`. Default 'dead-letter'. */
  deadLetterPrefix?: string;
  /** Told when the server refuses to let this user publish or subscribe to something, once a subject. */
  onRefused?: ((error: MillraceError) => void) | undefined;
  /** Bound of the first connection, in ms. Default 10_000. */
  connectTimeoutMs?: number;
  /** Bound of every later call, reconnection included, in ms. Default 10_000. */
  callTimeoutMs?: number;
}

/** Wait between two tries of a call while the server does not answer. */
const RETRY_MS = 100;
/** One try of a call; a lost request is sent again after this. */
const ATTEMPT_MS = 5000;
/**
 * One try of what a cluster that lost a server may leave without an answer: for some seconds it goes on placing consumers there, and asking it
 * for streams that it led.
 */
const QUICK_ATTEMPT_MS = 1500;

/** A connection that comes back by itself, and calls over it that wait for it at most so long. */
export class JetStreamConnection {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** As `js` and `jsm`, with short tries: for what one server of a cluster answers, where the next try may reach another. */
  readonly quick: { readonly js: JetStreamClient; readonly jsm: JetStreamManager };
  /** Makes and changes nothing but messages. */
  readonly worker: boolean;
  /** Begins the subjects that answers come to. */
  readonly inboxPrefix: string | undefined;
  /** Begins the subjects of JetStream's API. */
  readonly apiPrefix: string;
  /** Messages that are given up go to `<prefix>.<stream>`. */
  readonly deadLetterPrefix: string;
  private readonly callTimeoutMs: number;
  private connected = true;
  private readonly waiting = new Set<() => void>();
  private readonly dropped = new Set<() => void>();
  private readonly reconnected = new Set<() => void>();
  private readonly onRefused: JetStreamOptions['onRefused'];
  private readonly refused = new Set<string>();

  constructor(
    nc: NatsConnection,
    { jsm, quick }: { jsm: JetStreamManager; quick: JetStreamManager },
    callTimeoutMs: number,
    options: Pick<JetStreamOptions, 'worker' | 'inboxPrefix' | 'apiPrefix' | 'onRefused' | 'deadLetterPrefix'> = {},
  ) {
    this.nc = nc;
    this.worker = options.worker ?? false;
    this.inboxPrefix = options.inboxPrefix;
    this.apiPrefix = options.apiPrefix ?? '$JS.API';
    this.deadLetterPrefix = options.deadLetterPrefix ?? 'dead-letter';
    this.onRefused = options.onRefused;
    this.jsm = jsm;
    this.js = jetstream(nc, { timeout: ATTEMPT_MS, apiPrefix: this.apiPrefix });
    this.quick = { js: jetstream(nc, { timeout: QUICK_ATTEMPT_MS, apiPrefix: this.apiPrefix }), jsm: quick };
    this.callTimeoutMs = callTimeoutMs;
    void this.follow();
    void nc.closed().then(() => this.wake());
  }

  get serverVersion(): string {
    return this.nc.info?.version ?? '0.0.0';
  }

  /** Calls back after every reconnection; returns a function that stops it. */
  onReconnect(fn: () => void): () => void {
    this.reconnected.add(fn);
    return () => this.reconnected.delete(fn);
  }

  /**
   * Runs one request; while the server cannot be reached it waits and tries again, up to the call timeout, then throws
   * `unavailable`. So `attempt` must be safe to repeat: reads, or writes with a message id.
   */
  async call<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.callTimeoutMs;
    for (;;) {
      try {
        await this.untilConnected(deadline);
        return await this.unlessDropped(attempt(), deadline);
      } catch (thrown) {
        const left = deadline - performance.now();
        if (!isTransient(thrown) || left <= RETRY_MS || this.nc.isClosed()) throw toBusError(thrown, what);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Waits for the connection; throws {@link Disconnected} at the deadline. */
  private async untilConnected(deadline: number): Promise<void> {
    while (!this.connected) {
      if (this.nc.isClosed()) throw new MillraceError('unavailable', 'the connection to NATS is closed', { retryable: false });
      const left = deadline - performance.now();
      if (left <= 0) throw new Disconnected('not connected');
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          this.waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, left);
        this.waiting.add(done);
      });
    }
  }

  /** An answer cannot come over a connection that is gone: the client would wait for its timeout. */
  private unlessDropped<T>(answer: Promise<T>, deadline: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const drop = (): void => finish(() => reject(new Disconnected('the connection was lost')));
      const timer = setTimeout(() => finish(() => reject(new Disconnected('no answer in time'))), deadline - performance.now());
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        this.dropped.delete(drop);
        settle();
      };
      this.dropped.add(drop);
      answer.then(
        (value) => finish(() => resolve(value)),
        (thrown: unknown) => finish(() => reject(thrown instanceof Error ? thrown : new Error(String(thrown)))),
      );
    });
  }

  private async follow(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type === 'disconnect') {
        this.connected = false;
        for (const drop of [...this.dropped]) drop();
      } else if (status.type === 'error' && status.error instanceof errors.PermissionViolationError) {
        this.refuse(status.error);
      } else if (status.type === 'reconnect') {
        this.connected = true;
        this.wake();
        for (const fn of [...this.reconnected]) fn();
      }
    }
  }

  private refuse(error: InstanceType<typeof errors.PermissionViolationError>): void {
    const { operation, subject } = error;
    if (this.refused.has(`${operation} ${subject}`)) return;
    this.refused.add(`${operation} ${subject}`);
    this.onRefused?.(toBusError(error, `NATS does not let this user ${operation} on ${subject}`));
  }

  private wake(): void {
    for (const done of [...this.waiting]) done();
  }
}

/** Connects within the bound, or throws `unavailable` or `unauthenticated`; from then on it reconnects for ever, unless it is not let in any more. */
export async function openJetStream(options: JetStreamOptions): Promise<JetStreamConnection> {
  const addresses = natsAddresses(options.servers);
  const what = `connecting to NATS at ${addresses.map(({ server }) => server).join(', ')}`;
  const { user, password, token } = addresses[0]!;
  const login = loginOptions(saysWho(options) ? options : { ...options, user, password, token });
  const deadline = performance.now() + (options.connectTimeoutMs ?? 10_000);
  const callTimeoutMs = options.callTimeoutMs ?? 10_000;
  for (;;) {
    let nc: NatsConnection | undefined;
    try {
      nc = await answered(what, deadline, {
        servers: addresses.map(({ server }) => server),
        name: options.name,
        ...login,
        ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
        timeout: Math.max(100, Math.min(ATTEMPT_MS, deadline - performance.now())),
        reconnect: true,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 250,
        pingInterval: 10_000,
        maxPingOut: 3,
        // Two stack traces a request otherwise: a third of the time of a publish.
        noAsyncTraces: true,
      });
      checkServerVersion(nc.info?.version ?? '0.0.0');
      const api = options.apiPrefix === undefined ? {} : { apiPrefix: options.apiPrefix };
      const jsm = await jetstreamManager(nc, { timeout: ATTEMPT_MS, checkAPI: options.worker !== true, ...api });
      const quick = await jetstreamManager(nc, { timeout: QUICK_ATTEMPT_MS, checkAPI: false, ...api });
      return new JetStreamConnection(nc, { jsm, quick }, callTimeoutMs, options);
    } catch (thrown) {
      await nc?.close().catch(() => {});
      const error = toBusError(thrown, what);
      if (error.code !== 'unavailable' || performance.now() + RETRY_MS > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/**
 * Connects, or throws `unavailable` soon after the deadline: the client waits for ever where a server ends a TLS connection because it wants a
 * certificate.
 */
async function answered(what: string, deadline: number, options: NodeConnectionOptions): Promise<NatsConnection> {
  const connecting = connect(options);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const hint =
      options.tls === undefined ? '' : '; a server that asks for a client certificate may end it so: nats.certFile names one';
    const give = (): void => reject(new MillraceError('unavailable', `${what}: no answer in time${hint}`));
    timer = setTimeout(give, deadline + RETRY_MS - performance.now());
  });
  try {
    return await Promise.race([connecting, late]);
  } catch (thrown) {
    void connecting.then((nc) => nc.close()).catch(() => {});
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the options say who connects; what stands in an address counts otherwise. */
function saysWho({ user, token, credsFile, nkeyFile }: NatsLogin): boolean {
  return [user, token, credsFile, nkeyFile].some((each) => each !== undefined);
}
