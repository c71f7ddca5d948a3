import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';
import { foreignRequest, setPrivateHeaders } from '../../http/browser.ts';
import { hostPort, LOOPBACK, type Listening } from '../../http/listening.ts';
import { DATABASE } from '../embedded.ts';
import type { EmbeddedEngine } from '../embedded.ts';
import { authenticate } from './auth.ts';
import type { UserPasswords } from './auth.ts';
import { asException, exception, statusOf } from './exception.ts';
import { startStatement } from './execute.ts';
import type { AuditEntry } from './audit.ts';
import type { Executor } from './execute.ts';
import { readFacts } from './facts.ts';
import { readCredentials, readRequest } from './request.ts';
import { respond } from './respond.ts';
import { Spool } from './spool.ts';

const MIB = 1024 * 1024;
/** Servers close idle connections after this long. */
const KEEP_ALIVE_SECONDS = 10;

/** Options of {@link serveClickHouse}. */
export interface ClickHousePortOptions {
  engine: EmbeddedEngine;
  /** Default 0: a free one. */
  port?: number;
  /** Default: 127.0.0.1. */
  listening?: Listening | undefined;
  /** Password of user `reader`, who may also call itself `default`. Default: any will do; the clusters of `millrace` set one. */
  readToken?: string | undefined;
  /** Password of user `writer`, who may change things, 16 characters or more. Without it nobody may. */
  writeToken?: string | undefined;
  /** Bytes a request may have, unpacked. Default 1 GiB. */
  maxBodyBytes?: number;
  /** Bytes a result may have; it waits on the disk while its client reads it. Default 4 GiB. */
  maxResultBytes?: number;
  /** Bytes a query may use. Default 512 MiB. */
  maxQueryBytes?: number;
  /** Seconds a query may run unless its max_execution_time says otherwise. Default 60. */
  maxQuerySeconds?: number;
  /** Queries that may wait for their turn. Default 100. */
  maxWaiting?: number;
  /** Told of every statement that changes tables, and of every one that tried to. Default: nobody is. */
  audit?: (entry: AuditEntry) => void;
}

/** A port that is open. */
export interface ClickHousePort {
  /** `http://127.0.0.1:8123` */
  url: string;
  port: number;
  /** Queries that run or wait. */
  readonly active: number;
  /** What it has done since it was opened. */
  stats(): PortStats;
  /** Ends what runs and closes the port; the engine stays open. */
  close(): Promise<void>;
}

/** What a port counts. */
export interface PortStats {
  /** Requests that have ended, by the status of their answer; `aborted` are those that either side broke off. */
  requests: Readonly<Record<string, number>>;
  /** Seconds that those took together, with the time in which the client took the answer. */
  seconds: number;
  /** Queries that the engine runs, or whose result is on its way. */
  running: number;
  /** Queries that wait for a connection. */
  waiting: number;
}

/**
 * Serves the embedded engine on ClickHouse's HTTP interface, read-only but for user `writer`. Throws `failed_precondition` when
 * the port is taken, `invalid_argument` for a token that is too short.
 */
export async function serveClickHouse(options: ClickHousePortOptions): Promise<ClickHousePort> {
  const { engine, listening = LOOPBACK, readToken, writeToken } = options;
  for (const [field, token] of Object.entries({ readToken, writeToken })) {
    if (token !== undefined && token.length < 16) {
      throw new MillraceError('invalid_argument', `${field} needs at least 16 characters`, { field });
    }
  }
  const executor: Executor = {
    sessions: engine.sessions,
    judge: engine.judge,
    audit: options.audit ?? (() => {}),
    facts: await readFacts(engine.sessions),
    spool: new Spool(join(engine.path, 'http')),
    limits: {
      maxMemoryBytes: options.maxQueryBytes ?? 512 * MIB,
      maxSeconds: options.maxQuerySeconds ?? 60,
      maxSecondsAsked: Math.max(600, options.maxQuerySeconds ?? 60),
      threads: availableParallelism(),
      maxResultBytes: options.maxResultBytes ?? 4096 * MIB,
    },
    database: DATABASE,
  };
  const port = new Port(executor, {
    tokens: { readToken, writeToken },
    maxBodyBytes: options.maxBodyBytes ?? 1024 * MIB,
    advertised: listening.advertise,
    maxActive: executor.sessions.size + (options.maxWaiting ?? 100),
  });
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 600_000, connectionsCheckingInterval: 1_000 },
    (request, response) => {
      void port.answer(request, response);
    },
  );
  server.keepAliveTimeout = KEEP_ALIVE_SECONDS * 1000;
  server.maxConnections = 512;
  await listen(server, options.port ?? 0, listening.bind);
  const { port: number } = server.address() as AddressInfo;
  return {
    url: `http://${hostPort(listening.advertise, number)}`,
    port: number,
    get active() {
      return port.active;
    },
    stats: () => port.stats(),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await port.close();
      server.closeAllConnections();
      await closed;
      executor.spool.remove();
    },
  };
}

interface PortRules {
  tokens: UserPasswords;
  maxBodyBytes: number;
  /** Host name that it answers to besides addresses. */
  advertised: string;
  maxActive: number;
}

class Port {
  readonly #executor: Executor;
  readonly #rules: PortRules;
  readonly #ids = new Set<string>();
  readonly #open = new Set<Promise<void>>();
  /** What ends each query that runs. */
  readonly #running = new Set<AbortController>();
  #closed = false;
  #queries = 0;
  readonly #ended = new Map<string, number>();
  #seconds = 0;

  constructor(executor: Executor, rules: PortRules) {
    this.#executor = executor;
    this.#rules = rules;
  }

  get active(): number {
    return this.#queries;
  }

  stats(): PortStats {
    const waiting = this.#executor.sessions.waiting('guest');
    const running = Math.max(0, this.#queries - waiting);
    return { requests: Object.fromEntries(this.#ended), seconds: this.#seconds, running, waiting };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const query of this.#running) query.abort();
    await Promise.allSettled(this.#open);
  }

  /** Never rejects. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    response.once('close', () => {
      const status = response.writableFinished ? String(response.statusCode) : 'aborted';
      this.#ended.set(status, (this.#ended.get(status) ?? 0) + 1);
      this.#seconds += (performance.now() - startedAt) / 1000;
    });
    const work = this.#answer(request, response).catch(() => void response.destroy());
    this.#open.add(work);
    void work.then(() => this.#open.delete(work));
    return work;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { facts } = this.#executor;
    response.setHeader('X-ClickHouse-Server-Display-Name', facts.displayName);
    setPrivateHeaders(response);
    const url = new URL(request.url ?? '/', 'http://localhost');
    try {
      const foreign = foreignRequest(request, this.#rules.advertised);
      if (foreign !== undefined) throw exception('ACCESS_DENIED', `Not enough privileges: ${foreign}.`);
      if (answerPlain(request, response, url)) return;
      await this.#query(request, response, url);
    } catch (thrown) {
      const found = asException(thrown);
      if (response.headersSent || response.destroyed) return void response.destroy();
      const body = `${found.text(facts.version)}\n`;
      response.writeHead(statusOf(found.code), {
        'Content-Type': 'text/plain; charset=UTF-8',
        'Content-Length': Buffer.byteLength(body),
        'X-ClickHouse-Exception-Code': String(found.code),
        // What is left of the body would have to be read first.
        ...(request.complete ? {} : { Connection: 'close' }),
        ...(found.code === 516 ? { 'WWW-Authenticate': 'Basic realm="ClickHouse server HTTP API"' } : {}),
      });
      response.end(body);
      request.resume();
    }
  }

  async #query(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const { signal } = gone;
    if (this.#closed) gone.abort();
    this.#running.add(gone);
    response.on('close', () => this.#running.delete(gone));
    const { user, password } = readCredentials(request, url);
    // First: nobody's body is held in memory.
    const { mayWrite } = authenticate(user, password, this.#rules.tokens);
    const asked = await readRequest(request, url, this.#rules.maxBodyBytes);
    response.setHeader('X-ClickHouse-Query-Id', headerText(asked.queryId));
    if (this.#queries >= this.#rules.maxActive) {
      throw exception('TOO_MANY_SIMULTANEOUS_QUERIES', `Too many simultaneous queries. Maximum: ${this.#rules.maxActive}.`);
    }
    if (this.#ids.has(asked.queryId)) {
      throw exception(
        'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING',
        `Query with id = ${headerText(asked.queryId)} is already running.`,
      );
    }
    this.#ids.add(asked.queryId);
    this.#queries += 1;
    try {
      const { remoteAddress = '', remotePort = 0 } = request.socket;
      const who = { user, mayWrite, method: request.method ?? '', peer: `${remoteAddress}:${remotePort}` };
      const execution = await startStatement(this.#executor, asked, who, signal);
      // Before the answer's last bytes: a client may use the id again as soon as it has them.
      const forget = (): void => void this.#ids.delete(asked.queryId);
      execution.done.then(forget, forget);
      try {
        await respond(response, execution, { request: asked, facts: this.#executor.facts, head: request.method === 'HEAD' });
      } finally {
        gone.abort();
        await execution.done.catch(() => {});
        await execution.file.remove();
      }
    } finally {
      this.#ids.delete(asked.queryId);
      this.#queries -= 1;
    }
  }
}

/** What needs no query. */
function answerPlain(request: IncomingMessage, response: ServerResponse, url: URL): boolean {
  const plain = (status: number, text: string): true => {
    response.writeHead(status, { 'Content-Type': 'text/html; charset=UTF-8', 'Content-Length': Buffer.byteLength(text) });
    response.end(text);
    return true;
  };
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (!reads && request.method !== 'POST') {
    response.setHeader('Allow', 'GET, HEAD, POST');
    return plain(405, 'Use GET, HEAD or POST.\n');
  }
  if (reads && (url.pathname === '/ping' || url.pathname === '/replicas_status')) return plain(200, 'Ok.\n');
  if (url.pathname !== '/' && url.pathname !== '/query') {
    const hint = 'Use / or /ping for health checks, and /?query= or the body of a POST for queries.';
    return plain(404, `There is no handle ${url.pathname.slice(0, 200)}\n\n${hint}\n`);
  }
  if (reads && !url.searchParams.has('query')) return plain(200, 'Ok.\n');
  return false;
}

const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be opened (${error.message})`;
      reject(
        new MillraceError('failed_precondition', `port ${port} for ClickHouse's HTTP interface ${why}; choose another one`, {
          cause: error,
          field: 'ports.clickhouse',
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}
