import { setMaxListeners } from 'node:events';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { ServerOptions as GrpcServerOptions } from '@grpc/grpc-js';
import { systemClock } from '../clock/system.ts';
import { MillraceError } from '../errors.ts';
import { hostPort } from '../http/listening.ts';
import type { TlsIdentity } from '../identity/tls-identity.ts';
import { MAX_MESSAGE_BYTES, MAX_SHARD_BYTES, methodPath, serviceDefinition } from './definition.ts';
import type { ServiceRegistration } from './handlers.ts';
import { createHealth } from './health.ts';
import { serverInterceptors, type InterceptorOptions } from './interceptors.ts';
import { quietGrpc, silentLog } from './log.ts';
import type { RpcLog } from './log.ts';
import { RpcMetrics } from './metrics.ts';
import type { MethodMetrics } from './metrics.ts';
import { DEFAULT_RATE_LIMIT, RateLimiter } from './rate-limit.ts';
import type { RateLimit } from './rate-limit.ts';
import { addReflection } from './reflection.ts';
import { serverCredentials } from './tls.ts';

/** Options of {@link startServer}. */
export interface ServerOptions {
  /** Address to listen on. Default '127.0.0.1'. Anything but loopback needs a token. */
  host?: string;
  /** Host name or address that clients reach it by. Default: `host`. */
  advertise?: string;
  /** Default 0: a free port. */
  port?: number;
  services: readonly ServiceRegistration[];
  /** Bearer token that calls of services without one of their own must carry, health and reflection excepted. Default: none, open to this machine. */
  token?: string | undefined;
  /**
   * Serves TLS, and takes calls only from who has a certificate of the same authority; see {@link ServiceRegistration.peers}. Default: no
   * TLS.
   */
  tls?: TlsIdentity | undefined;
  /** Names that answer SERVING to health checks, besides '' (the whole server). Default: the services' full names. */
  healthServices?: readonly string[];
  /** Lets tools such as grpcurl list and describe the services. Default true. */
  reflection?: boolean;
  /** Default: no log. */
  log?: RpcLog;
  /** Calls per peer. */
  rateLimit?: RateLimit;
  /** Longest a unary call may take, in milliseconds. Default 60_000. */
  deadlineCapMs?: number;
}

/** A server that listens. */
export interface RunningServer {
  /** "host:port", for clients. */
  readonly address: string;
  readonly port: number;
  /** Counts and latencies since the start. */
  metrics(): MethodMetrics[];
  /** What health checks of this name answer from now on. */
  setServing(name: string, serving: boolean): void;
  /**
   * Stops taking calls, tells open streams to end (UNAVAILABLE) and waits for the calls in progress, at most `graceMs`
   * (default 2000); then drops what is left. Stopping twice waits for the first.
   */
  stop(graceMs?: number): Promise<void>;
}

const GRPC_OPTIONS: GrpcServerOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  // What clients take bounds what is sent: learners take more than others.
  'grpc.max_send_message_length': MAX_SHARD_BYTES,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 15_000,
  'grpc.enable_channelz': 0,
};

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * Starts a gRPC server with the interceptors of DESIGN.md §5, health checks and reflection. Fails with
 * `failed_precondition` when the address is in use or may not be opened without a token.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port = 0, services, log = silentLog } = options;
  const tokens = new Map(
    services.map(({ service, token, guard }) => [service.typeName, guard === undefined ? (token ?? options.token) : undefined]),
  );
  if (options.token === '' || [...tokens.values()].includes(''))
    throw new MillraceError('invalid_argument', 'The token is empty; leave it out or set one.', { field: 'token' });
  // Who joins has nothing yet to show: such a service checks its callers itself, and needs TLS.
  const guarded = services.filter(({ peers }) => peers !== 'anyone' || options.tls === undefined);
  const isOpen =
    services.length === 0
      ? options.token === undefined
      : guarded.some(({ service, guard }) => guard === undefined && tokens.get(service.typeName) === undefined);
  if (isOpen && !LOOPBACK.has(host)) {
    throw new MillraceError('failed_precondition', `Listening on ${host} needs a token; set one or listen on 127.0.0.1.`, {
      field: 'token',
    });
  }
  quietGrpc();
  const metrics = new RpcMetrics();
  const interceptors = serverInterceptors({
    tokens,
    tls: options.tls,
    peers: new Map(services.map(({ service, peers }) => [service.typeName, peers])),
    guards: guardsOf(services),
    deadlineCapMs: options.deadlineCapMs ?? 60_000,
    limiter: new RateLimiter(options.rateLimit ?? DEFAULT_RATE_LIMIT, () => systemClock.monotonic()),
    metrics,
    log,
  });
  const server = new Server({ ...GRPC_OPTIONS, interceptors });
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // One listener per open call.
  for (const registration of services) {
    server.addService(serviceDefinition(registration.service), registration.bind({ stopping: stopping.signal, log }));
  }
  const health = createHealth(server, options.healthServices ?? services.map(({ service }) => service.typeName));
  if (options.reflection ?? true)
    addReflection(
      server,
      services.map(({ service }) => service),
    );
  const required = !services.some(({ peers }) => peers === 'anyone');
  const credentials = options.tls ? serverCredentials(options.tls, required) : ServerCredentials.createInsecure();
  const bound = await listen(server, { host, port, credentials });

  let stopped: Promise<void> | undefined;
  return {
    address: hostPort(options.advertise ?? host, bound),
    port: bound,
    metrics: () => metrics.snapshot(),
    setServing: (name, serving) => health.set(name, serving),
    stop: (graceMs = 2000) => {
      stopped ??= shutDown(server, graceMs, () => {
        health.setAll(false);
        stopping.abort();
      });
      return stopped;
    },
  };
}

/** Of each method of a guarded service, by its path. */
function guardsOf(services: readonly ServiceRegistration[]): InterceptorOptions['guards'] {
  return new Map(
    services.flatMap(({ service, guard }) =>
      guard === undefined ? [] : service.methods.map((each) => [methodPath(each), { guard, method: each.localName }] as const),
    ),
  );
}

function listen(
  server: Server,
  { host, port, credentials }: { host: string; port: number; credentials: ServerCredentials },
): Promise<number> {
  const target = hostPort(host, port);
  return new Promise((resolve, reject) => {
    server.bindAsync(target, credentials, (error, bound) => {
      if (!error) return resolve(bound);
      server.forceShutdown();
      reject(
        new MillraceError('failed_precondition', `Cannot listen on ${target} (${error.message}); choose another port or host.`, {
          cause: error,
          field: 'port',
        }),
      );
    });
  });
}

function shutDown(server: Server, graceMs: number, announce: () => void): Promise<void> {
  announce();
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
