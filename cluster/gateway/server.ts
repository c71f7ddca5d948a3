import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Logger } from 'pino';
import { requireScope, type Authenticator, type Caller } from '../../src/access/authenticator.ts';
import { HTTP_SCOPES, httpScope, type RouteScope } from '../../src/access/required.ts';
import type { Scope } from '../../src/access/scopes.ts';
import { systemClock } from '../../src/clock/system.ts';
import { MillraceError } from '../../src/errors.ts';
import { foreignRequest, setPrivateHeaders } from '../../src/http/browser.ts';
import { hostPort, LOOPBACK, type Listening } from '../../src/http/listening.ts';
import type { TlsIdentity } from '../../src/identity/tls-identity.ts';
import { RateLimiter, type RateLimit } from '../../src/rpc/rate-limit.ts';
import type { SessionRecord } from '../../src/jobs/sessions/session.ts';
import { BodyTooLarge, readBody } from './body.ts';
import { callerOf, type FindSession } from './callers.ts';
import { openAiError } from './openai-errors.ts';
import { Router, type FoundRoute, type ScopedRoute } from './router.ts';
import type { Reply, Route } from './routes.ts';
import { send } from './send.ts';
import { errorBody, HTTP_STATUS } from './status.ts';
import { refuseUpgrade, type Upgrade } from './upgrade.ts';

/** What a client may ask of the gateway at most. */
export interface GatewayLimits {
  /** Bytes of a body. Default 1 MiB. */
  bodyBytes: number;
  /** Requests in progress; more are answered 429. Default 256. */
  concurrent: number;
  /** Requests with keys of agents' sessions in progress, which are calls of models and counted apart. Default 2048. */
  calls: number;
  /** Requests of one address. Default 100 a second, 200 at once. */
  rate: RateLimit;
  /** The same for requests with keys of agents' sessions: calls come in bursts. Default 1000 a second, 4000 at once. */
  callRate: RateLimit;
  /** Milliseconds from a request's headers to its answer. Default 30_000. */
  requestMs: number;
}

const DEFAULT_LIMITS: GatewayLimits = {
  bodyBytes: 1024 * 1024,
  concurrent: 256,
  calls: 2048,
  rate: { perSecond: 100, burst: 200 },
  callRate: { perSecond: 1000, burst: 4000 },
  requestMs: 30_000,
};
const HEADER_BYTES = 16 * 1024;
const HEADERS_MS = 10_000;
/** How often connections over their time are looked for. */
const CHECK_MS = 1_000;
const MOST_CONNECTIONS = 4096;
/** Bodies of other methods are not read: those of paths without a token would hold requests of clients that have one. */
const WITH_BODY: ReadonlySet<Route['method']> = new Set(['POST', 'PUT']);

/** Options of {@link startGateway}. */
export interface GatewayOptions {
  routes: readonly Route[];
  /** Finds out who calls. */
  authenticator: Authenticator;
  /** What each route takes, by its method and path. Default: {@link HTTP_SCOPES}. A route that is not in it is an error. */
  scopes?: typeof HTTP_SCOPES;
  /** Finds the browser that logged in, for requests without a token. Default: there is no login. */
  session?: FindSession;
  /** Finds the session of an agent that a key opens. Default: there are none. */
  agents?: SessionKeys | undefined;
  /** WebSockets. Default: none. */
  upgrades?: readonly Upgrade[];
  log: Logger;
  /** Default 0: a free one. */
  port?: number;
  /** Default: 127.0.0.1. */
  listening?: Listening | undefined;
  limits?: Partial<GatewayLimits>;
  /** Serves HTTPS with this certificate; clients need none. Default: HTTP. */
  tls?: TlsIdentity | undefined;
}

/** Keys of agents' sessions. */
export interface SessionKeys {
  /** Whether a credential is meant to be one. */
  isKey(credential: string): boolean;
  /** Throws `unauthenticated` for one that opens nothing. */
  open(key: string): Promise<SessionRecord>;
}

/** What a gateway has counted since its start. */
export interface GatewayStats {
  readonly answered: Readonly<Record<string, number>>;
  readonly running: number;
}

/** A gateway that answers. */
export interface RunningGateway {
  /** `http://<advertised host>:<port>`, or `https://` */
  readonly url: string;
  /** Requests answered so far, by HTTP status, and those in progress. */
  stats(): GatewayStats;
  /** Takes no more requests, lets those in progress end within `timeoutMs` (default 5000), then cuts them off. */
  stop(timeoutMs?: number): Promise<void>;
}

/**
 * Starts the HTTP server. A request passes these checks in this order: Host and origin, rate, concurrency, credential, route, scope, body.
 * Throws `failed_precondition` when the port is taken.
 */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const gateway = new Gateway(options);
  await gateway.listen(options.port ?? 0);
  return gateway;
}

class Gateway implements RunningGateway {
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';
  readonly #limits: GatewayLimits;
  readonly #listening: Listening;
  readonly #authenticator: Authenticator;
  readonly #rate: RateLimiter;
  readonly #session: FindSession;
  readonly #callRate: RateLimiter;
  readonly #agents: SessionKeys | undefined;
  readonly #router: Router;
  readonly #upgrades: readonly (Upgrade & { readonly scope: Scope })[];
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  readonly #answered: Record<string, number> = {};
  #running = 0;
  #calls = 0;
  #stopping = false;

  constructor(options: GatewayOptions) {
    const { routes, scopes = HTTP_SCOPES, upgrades = [], log, limits, listening = LOOPBACK, tls } = options;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#listening = listening;
    this.#authenticator = options.authenticator;
    this.#session = options.session ?? (() => undefined);
    this.#upgrades = upgrades.map((each) => ({ ...each, scope: scopeIn(scopes, 'GET', each.path) as Scope }));
    this.#rate = new RateLimiter(this.#limits.rate, () => systemClock.monotonic());
    this.#callRate = new RateLimiter(this.#limits.callRate, () => systemClock.monotonic());
    this.#agents = options.agents;
    this.#log = log;
    this.#router = new Router(routes.map((route) => ({ ...route, scope: scopeIn(scopes, route.method, route.path) })));
    const { requestMs } = this.#limits;
    const times = {
      headersTimeout: Math.min(HEADERS_MS, requestMs),
      requestTimeout: requestMs,
      connectionsCheckingInterval: CHECK_MS,
    };
    const serve = (request: IncomingMessage, response: ServerResponse): void => void this.#serve(request, response);
    this.#scheme = tls ? 'https' : 'http';
    this.#server = createFor({ maxHeaderSize: HEADER_BYTES, ...times }, serve, tls);
    // Only who may send a body is asked for it.
    this.#server.on('checkContinue', serve);
    this.#server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => this.#upgrade(request, socket, head));
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  get url(): string {
    return `${this.#scheme}://${hostPort(this.#listening.advertise, (this.#server.address() as AddressInfo).port)}`;
  }

  stats(): GatewayStats {
    return { answered: this.#answered, running: this.#running };
  }

  async listen(port: number): Promise<void> {
    const { bind } = this.#listening;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const why = `The gateway cannot listen on ${hostPort(bind, port)} (${cause.message}); choose another port.`;
        reject(new MillraceError('failed_precondition', why, { cause, field: 'port' }));
      });
      this.#server.listen(port, bind, resolve);
    });
  }

  async stop(timeoutMs = 5_000): Promise<void> {
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    for (const upgrade of this.#upgrades) upgrade.close();
    const cut = setTimeout(() => {
      this.#stopped.abort();
      this.#server.closeAllConnections();
    }, timeoutMs);
    await closed;
    clearTimeout(cut);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    setPrivateHeaders(response);
    response.setHeader('Cache-Control', 'no-store');
    const key = this.#keyOf(request);
    this.#running += 1;
    if (key !== undefined) this.#calls += 1;
    try {
      await this.#send(request, response, await this.#answer(request, response, key));
    } catch (thrown) {
      await this.#fail(request, response, MillraceError.from(thrown));
    } finally {
      this.#running -= 1;
      if (key !== undefined) this.#calls -= 1;
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, key: string | undefined): Promise<Reply> {
    const wait = this.#checkCaller(request, key === undefined ? this.#rate : this.#callRate);
    if (wait > 0) throw busy(response, `Too many requests; try again in ${wait} ms.`, wait);
    const { concurrent, calls, bodyBytes, requestMs } = this.#limits;
    if (key === undefined ? this.#running - this.#calls > concurrent : this.#calls > calls)
      throw busy(response, 'Too many requests at the same time.', 1000);
    const { pathname, searchParams } = targetOf(request.url ?? '/');
    const session = key === undefined ? undefined : await this.#agents!.open(key);
    // Which paths there are is nothing for those without a credential.
    if (session === undefined && !this.#router.isOpen(pathname)) this.#caller(request);
    const { route, params } = this.#routeOf(request.method ?? '', pathname, response);
    const caller = this.#callerFor(route, session, request);
    const body = WITH_BODY.has(route.method) ? await readBody(request, response, route.bodyBytes ?? bodyBytes) : Buffer.alloc(0);
    const left = new AbortController();
    response.once('close', () => left.abort());
    const limit = AbortSignal.timeout(route.timeMs ?? requestMs);
    const signal = AbortSignal.any([left.signal, this.#stopped.signal, limit]);
    const { headers } = request;
    return within(signal, async () => route.handle({ query: searchParams, params, headers, body, caller, session, signal }));
  }

  #keyOf({ headers }: IncomingMessage): string | undefined {
    const key = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    return key !== undefined && this.#agents?.isKey(key) ? key : undefined;
  }

  /** Who calls, where the route takes a credential of scopes. */
  #callerFor({ scope }: ScopedRoute, session: SessionRecord | undefined, request: IncomingMessage): Caller | undefined {
    if (scope === 'open' || (scope === 'session' && session !== undefined)) return undefined;
    if (scope === 'session')
      throw new MillraceError('permission_denied', 'This takes the key of a session: POST /v1/sessions gives one.');
    if (session !== undefined)
      throw new MillraceError('permission_denied', `This takes a credential of scope ${scope}, not the key of a session.`);
    const caller = this.#caller(request);
    requireScope(caller, scope);
    return caller;
  }

  /** Refuses requests of foreign pages; returns how many milliseconds an address that asks too often has to wait. */
  #checkCaller(request: IncomingMessage, rate: RateLimiter): number {
    const foreign = foreignRequest(request, this.#listening.advertise);
    if (foreign !== undefined) throw new MillraceError('permission_denied', `Refused: ${foreign}.`);
    return rate.take(request.socket.remoteAddress ?? '');
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    try {
      if (this.#checkCaller(request, this.#rate) > 0) throw new MillraceError('resource_exhausted', 'Too many requests.');
      const { pathname } = targetOf(request.url ?? '/');
      const caller = this.#caller(request);
      const upgrade = this.#upgrades.find(({ path }) => path === pathname);
      if (upgrade === undefined) throw new MillraceError('not_found', 'There is nothing at this path.');
      requireScope(caller, upgrade.scope);
      upgrade.accept(request, socket, head);
      socket.once(
        'close',
        this.#authenticator.watch(caller, () => socket.destroy()),
      );
    } catch (thrown) {
      refuseUpgrade(socket, MillraceError.from(thrown));
    }
  }

  #caller(request: IncomingMessage): Caller {
    return callerOf(request, this.#authenticator, this.#session);
  }

  #routeOf(method: string, path: string, response: ServerResponse): FoundRoute {
    const found = this.#router.at(path);
    if (found === undefined) throw new MillraceError('not_found', 'There is nothing at this path.');
    const { methods, params } = found;
    const route = methods.get(method === 'HEAD' ? 'GET' : method);
    if (route !== undefined) return { route, params };
    response.statusCode = 405;
    response.setHeader('Allow', [...methods.keys()].join(', '));
    throw new MillraceError('unimplemented', `This path takes ${[...methods.keys()].join(', ')}.`);
  }

  async #send(request: IncomingMessage, response: ServerResponse, reply: Reply, status = reply.status ?? 200): Promise<void> {
    this.#answered[status] = (this.#answered[status] ?? 0) + 1;
    // A client that keeps its connection would hold up the end.
    await send(request, response, reply, { status, close: this.#stopping });
  }

  async #fail(request: IncomingMessage, response: ServerResponse, error: MillraceError): Promise<void> {
    const path = request.url?.split('?')[0];
    if (HTTP_STATUS[error.code] === 500) this.#log.error({ err: error, path }, 'a request failed');
    if (response.headersSent) return;
    if (error.code === 'unauthenticated') response.setHeader('WWW-Authenticate', 'Bearer');
    const status = error instanceof BodyTooLarge ? 413 : response.statusCode === 405 ? 405 : HTTP_STATUS[error.code];
    const json = path?.startsWith('/v1/') ? openAiError(error) : errorBody(error);
    await this.#send(request, response, { json }, status);
  }
}

function busy(response: ServerResponse, message: string, waitMs: number): MillraceError {
  response.setHeader('Retry-After', Math.ceil(waitMs / 1000));
  return new MillraceError('resource_exhausted', message);
}

/** A server that takes the certificate of `tls`, and a new one for new connections. */
function createFor(
  options: ServerOptions,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
  tls: TlsIdentity | undefined,
): Server {
  if (tls === undefined) return createServer(options, serve);
  const { cert, key } = tls.current;
  const server = createSecureServer({ ...options, cert, key, minVersion: 'TLSv1.2' }, serve);
  server.once(
    'close',
    tls.subscribe((next) => server.setSecureContext({ cert: next.cert, key: next.key, minVersion: 'TLSv1.2' })),
  );
  return server;
}

/** What a route takes. `internal` when the table does not say. */
function scopeIn(scopes: typeof HTTP_SCOPES, method: string, path: string): RouteScope {
  const scope = httpScope(scopes, method, path);
  if (scope === undefined) throw new MillraceError('internal', `what ${method} ${path} takes is not in HTTP_SCOPES`);
  return scope;
}

/** Path and query of a request. `invalid_argument` for a target that is neither a path nor an address. */
function targetOf(target: string): URL {
  const address = target.startsWith('/') ? `http://gateway${target}` : target;
  if (!URL.canParse(address))
    throw new MillraceError('invalid_argument', 'The target of the request is no path.', { field: 'path' });
  return new URL(address);
}

/** What `work` returns, unless the signal aborts first: then its reason is thrown. */
async function within<R>(signal: AbortSignal, work: () => Promise<R>): Promise<R> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(MillraceError.from(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
