import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Logger } from 'pino';
import { requireScope, type Authenticator, type Caller } from '../../src/access/authenticator.ts';
import { HTTP_SCOPES, httpScope } from '../../src/access/required.ts';
import type { Scope } from '../../src/access/scopes.ts';
import { systemClock } from '../../src/clock/system.ts';
import { MillraceError } from '../../src/errors.ts';
import { foreignRequest, setPrivateHeaders } from '../../src/http/browser.ts';
import { hostPort, LOOPBACK, type Listening } from '../../src/http/listening.ts';
import type { TlsIdentity } from '../../src/identity/tls-identity.ts';
import { RateLimiter, type RateLimit } from '../../src/rpc/rate-limit.ts';
import { BodyTooLarge, readBody } from './body.ts';
import { callerOf, type FindSession } from './callers.ts';
import type { Reply, Route } from './routes.ts';
import { errorBody, HTTP_STATUS } from './status.ts';
import { refuseUpgrade, type Upgrade } from './upgrade.ts';

/** What a client may ask of the gateway at most. */
export interface GatewayLimits {
  /** Bytes of a body. Default 1 MiB. */
  bodyBytes: number;
  /** Requests in progress; more are answered 429. Default 256. */
  concurrent: number;
  /** Requests of one address. Default 100 a second, 200 at once. */
  rate: RateLimit;
  /** Milliseconds from a request's headers to its answer. Default 30_000. */
  requestMs: number;
}

const DEFAULT_LIMITS: GatewayLimits = {
  bodyBytes: 1024 * 1024,
  concurrent: 256,
  rate: { perSecond: 100, burst: 200 },
  requestMs: 30_000,
};
const HEADER_BYTES = 16 * 1024;
const HEADERS_MS = 10_000;
/** How often connections over their time are looked for. */
const CHECK_MS = 1_000;
const MOST_CONNECTIONS = 1024;
/** Bodies of other methods are not read: those of paths without a token would hold requests of clients that have one. */
const WITH_BODY: ReadonlySet<Route['method']> = new Set(['POST', 'PUT']);

type ScopedRoute = Route & { readonly scope: Scope | 'open' };

/** Options of {@link startGateway}. */
export interface GatewayOptions {
  routes: readonly Route[];
  /** Finds out who calls. */
  authenticator: Authenticator;
  /** What each route takes, by its method and path. Default: {@link HTTP_SCOPES}. A route that is not in it is an error. */
  scopes?: typeof HTTP_SCOPES;
  /** Finds the browser that logged in, for requests without a token. Default: there is no login. */
  session?: FindSession;
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
  readonly #routes = new Map<string, Map<string, ScopedRoute>>();
  readonly #upgrades: readonly (Upgrade & { readonly scope: Scope })[];
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  readonly #answered: Record<string, number> = {};
  #running = 0;
  #stopping = false;

  constructor(options: GatewayOptions) {
    const { routes, scopes = HTTP_SCOPES, upgrades = [], log, limits, listening = LOOPBACK, tls } = options;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#listening = listening;
    this.#authenticator = options.authenticator;
    this.#session = options.session ?? (() => undefined);
    this.#upgrades = upgrades.map((each) => ({ ...each, scope: scopeIn(scopes, 'GET', each.path) as Scope }));
    this.#rate = new RateLimiter(this.#limits.rate, () => systemClock.monotonic());
    this.#log = log;
    for (const route of routes) {
      const methods = this.#routes.get(route.path) ?? new Map<string, ScopedRoute>();
      if (methods.has(route.method)) throw new MillraceError('internal', `two routes for ${route.method} ${route.path}`);
      const scope = scopeIn(scopes, route.method, route.path);
      this.#routes.set(route.path, methods.set(route.method, { ...route, scope }));
    }
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
    this.#running += 1;
    try {
      this.#send(request, response, await this.#answer(request, response));
    } catch (thrown) {
      this.#fail(request, response, MillraceError.from(thrown));
    } finally {
      this.#running -= 1;
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Reply> {
    const wait = this.#checkCaller(request);
    if (wait > 0) throw this.#busy(response, `Too many requests; try again in ${wait} ms.`, wait);
    if (this.#running > this.#limits.concurrent) throw this.#busy(response, 'Too many requests at the same time.', 1000);
    const { pathname, searchParams } = targetOf(request.url ?? '/');
    // Which paths there are is nothing for those without a credential.
    if (!this.#isOpen(pathname)) this.#caller(request);
    const route = this.#routeOf(request.method ?? '', pathname, response);
    const caller = route.scope === 'open' ? undefined : this.#caller(request);
    if (caller !== undefined) requireScope(caller, route.scope as Scope);
    const body = WITH_BODY.has(route.method)
      ? await readBody(request, response, route.bodyBytes ?? this.#limits.bodyBytes)
      : Buffer.alloc(0);
    const left = new AbortController();
    response.once('close', () => left.abort());
    const limit = AbortSignal.timeout(this.#limits.requestMs);
    const signal = AbortSignal.any([left.signal, this.#stopped.signal, limit]);
    return within(signal, async () => route.handle({ query: searchParams, headers: request.headers, body, caller, signal }));
  }

  /** Refuses requests of foreign pages; returns how many milliseconds an address that asks too often has to wait. */
  #checkCaller(request: IncomingMessage): number {
    const foreign = foreignRequest(request, this.#listening.advertise);
    if (foreign !== undefined) throw new MillraceError('permission_denied', `Refused: ${foreign}.`);
    return this.#rate.take(request.socket.remoteAddress ?? '');
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    try {
      if (this.#checkCaller(request) > 0) throw new MillraceError('resource_exhausted', 'Too many requests.');
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

  #busy(response: ServerResponse, message: string, waitMs: number): MillraceError {
    response.setHeader('Retry-After', Math.ceil(waitMs / 1000));
    return new MillraceError('resource_exhausted', message);
  }

  #isOpen(path: string): boolean {
    return [...(this.#routes.get(path)?.values() ?? [])].some(({ scope }) => scope === 'open');
  }

  #routeOf(method: string, path: string, response: ServerResponse): ScopedRoute {
    const methods = this.#routes.get(path);
    if (methods === undefined) throw new MillraceError('not_found', 'There is nothing at this path.');
    const route = methods.get(method === 'HEAD' ? 'GET' : method);
    if (route !== undefined) return route;
    response.statusCode = 405;
    response.setHeader('Allow', [...methods.keys()].join(', '));
    throw new MillraceError('unimplemented', `This path takes ${[...methods.keys()].join(', ')}.`);
  }

  #send(request: IncomingMessage, response: ServerResponse, reply: Reply, status = reply.status ?? 200): void {
    const [text, type] =
      'text' in reply ? [reply.text, reply.contentType] : [`${JSON.stringify(reply.json)}\n`, 'application/json'];
    this.#answered[status] = (this.#answered[status] ?? 0) + 1;
    if (!response.writable) return;
    // A client that keeps its connection would hold up the end; what is left of a body would be taken for the next request.
    if (this.#stopping || !request.complete) response.setHeader('Connection', 'close');
    response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text), ...reply.headers });
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: MillraceError): void {
    const path = request.url?.split('?')[0];
    if (HTTP_STATUS[error.code] === 500) this.#log.error({ err: error, path }, 'a request failed');
    if (error.code === 'unauthenticated') response.setHeader('WWW-Authenticate', 'Bearer');
    const status = error instanceof BodyTooLarge ? 413 : response.statusCode === 405 ? 405 : HTTP_STATUS[error.code];
    this.#send(request, response, { json: errorBody(error) }, status);
  }
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
function scopeIn(scopes: typeof HTTP_SCOPES, method: string, path: string): Scope | 'open' {
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
