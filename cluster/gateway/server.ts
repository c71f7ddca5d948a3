import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Logger } from 'pino';
import { systemClock } from '../../src/clock/system.ts';
import { MillraceError } from '../../src/errors.ts';
import { foreignRequest, setPrivateHeaders } from '../../src/http/browser.ts';
import { hostPort, LOOPBACK, type Listening } from '../../src/http/listening.ts';
import type { TlsIdentity } from '../../src/identity/tls-identity.ts';
import { RateLimiter, type RateLimit } from '../../src/rpc/rate-limit.ts';
import { BodyTooLarge, readBody } from './body.ts';
import type { Reply, Route } from './routes.ts';
import { Authenticator, SCOPES, type BrowserSession, type Tokens } from './scopes.ts';
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

/** Options of {@link startGateway}. */
export interface GatewayOptions {
  routes: readonly Route[];
  tokens: Tokens;
  /** Finds the browser that logged in, for requests without a token. Default: there is no login. */
  session?: (request: Pick<IncomingMessage, 'headers'>) => BrowserSession | undefined;
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
 * Starts the HTTP server. A request passes these checks in this order: Host and origin, rate, concurrency, token, route, scope, body.
 * Throws `failed_precondition` when the port is taken or no token is given.
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
  readonly #routes = new Map<string, Map<string, Route>>();
  readonly #upgrades: readonly Upgrade[];
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  readonly #answered: Record<string, number> = {};
  #running = 0;
  #stopping = false;

  constructor({ routes, tokens, session, upgrades = [], log, limits, listening = LOOPBACK, tls }: GatewayOptions) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#listening = listening;
    this.#authenticator = new Authenticator(tokens, session);
    this.#upgrades = upgrades;
    this.#rate = new RateLimiter(this.#limits.rate, () => systemClock.monotonic());
    this.#log = log;
    for (const route of routes) {
      const methods = this.#routes.get(route.path) ?? new Map<string, Route>();
      if (methods.has(route.method)) throw new MillraceError('internal', `two routes for ${route.method} ${route.path}`);
      this.#routes.set(route.path, methods.set(route.method, route));
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
    // Which paths there are is nothing for those without a token.
    if (!this.#isOpen(pathname)) this.#authenticator.authorize(request, SCOPES[0]);
    const route = this.#routeOf(request.method ?? '', pathname, response);
    const scope = route.scope && this.#authenticator.authorize(request, route.scope);
    const body = WITH_BODY.has(route.method)
      ? await readBody(request, response, route.bodyBytes ?? this.#limits.bodyBytes)
      : Buffer.alloc(0);
    const left = new AbortController();
    response.once('close', () => left.abort());
    const limit = AbortSignal.timeout(this.#limits.requestMs);
    const signal = AbortSignal.any([left.signal, this.#stopped.signal, limit]);
    return within(signal, async () => route.handle({ query: searchParams, headers: request.headers, body, scope, signal }));
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
      this.#authenticator.authorize(request, SCOPES[0]);
      const upgrade = this.#upgrades.find(({ path }) => path === pathname);
      if (upgrade === undefined) throw new MillraceError('not_found', 'There is nothing at this path.');
      this.#authenticator.authorize(request, upgrade.scope);
      upgrade.accept(request, socket, head);
    } catch (thrown) {
      refuseUpgrade(socket, MillraceError.from(thrown));
    }
  }

  #busy(response: ServerResponse, message: string, waitMs: number): MillraceError {
    response.setHeader('Retry-After', Math.ceil(waitMs / 1000));
    return new MillraceError('resource_exhausted', message);
  }

  #isOpen(path: string): boolean {
    return [...(this.#routes.get(path)?.values() ?? [])].some(({ scope }) => scope === undefined);
  }

  #routeOf(method: string, path: string, response: ServerResponse): Route {
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
