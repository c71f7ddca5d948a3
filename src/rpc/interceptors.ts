import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Metadata, ResponderBuilder, ServerInterceptingCall, ServerListenerBuilder, status as Status } from '@grpc/grpc-js';
import type { ServerInterceptingCallInterface, ServerInterceptor } from '@grpc/grpc-js';
import type { CallGuard } from '../access/guard.ts';
import { MillraceError } from '../errors.ts';
import type { TlsIdentity } from '../identity/tls-identity.ts';
import { UndecodableRequest } from './definition.ts';
import { ON_BEHALF_OF, setCaller } from './guarded.ts';
import type { RpcLog } from './log.ts';
import { checkPeer } from './peer.ts';
import type { RpcMetrics } from './metrics.ts';
import type { RateLimiter } from './rate-limit.ts';
import { statusFrom, TRACE_KEY } from './status.ts';

/** What the interceptors of a server need. */
export interface InterceptorOptions {
  /** Token of each service by its full name. Undefined: everyone may call it. */
  tokens: ReadonlyMap<string, string | undefined>;
  /** Who this server is, where it has TLS. */
  tls: TlsIdentity | undefined;
  /** Who may call each service, by its full name; see `ServiceRegistration.peers`. */
  peers: ReadonlyMap<string, readonly string[] | 'anyone' | undefined>;
  /** Who decides about each method, by its path, and its local name. Services that are not in it have a token. */
  guards: ReadonlyMap<string, { guard: CallGuard; method: string }>;
  /** Longest a unary call may take, in milliseconds, whatever deadline the caller sets. */
  deadlineCapMs: number;
  limiter: RateLimiter;
  metrics: RpcMetrics;
  log: RpcLog;
}

/** The server's interceptors, from the wire to the handler. */
export function serverInterceptors(options: InterceptorOptions): ServerInterceptor[] {
  return [
    trace(),
    peers(options),
    guarded(options),
    authentication(options),
    deadline(options),
    rateLimit(options),
    metrics(options),
    errors(),
  ];
}

/** Health checks and reflection are open to load balancers and tools, which send neither tokens nor deadlines. */
function isExempt(path: string): boolean {
  return path.startsWith('/grpc.health.') || path.startsWith('/grpc.reflection.');
}

/** Gives every call an id, taken from the caller's W3C `traceparent` when there is a valid one, and returns it. */
function trace(): ServerInterceptor {
  return (_method, call) => {
    let id = '';
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const parent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(String(metadata.get('traceparent')[0] ?? ''));
        id = parent?.[1] ?? randomBytes(16).toString('hex');
        metadata.set(TRACE_KEY, id);
        next(metadata);
      })
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendStatus((status, next) => {
        const trailers = status.metadata ?? new Metadata();
        if (id) trailers.set(TRACE_KEY, id);
        next({ ...status, metadata: trailers });
      })
      .build();
    return new ServerInterceptingCall(call, responder);
  };
}

/** Who has no certificate for the service is refused before anything else is looked at. */
function peers({ tls, peers: allowed, metrics, log }: InterceptorOptions): ServerInterceptor {
  return gate(metrics, log, (path, _metadata, call) => {
    if (tls !== undefined)
      checkPeer(call.getAuthContext(), isExempt(path) ? undefined : allowed.get(path.split('/')[1] ?? ''), tls.current);
  });
}

/** Calls of guarded services pass with a credential for them; streams end when it stops being valid. */
function guarded({ guards, metrics, log }: InterceptorOptions): ServerInterceptor {
  return gate(metrics, log, (path, metadata, call, isStream) => {
    const found = guards.get(path);
    if (found === undefined) return;
    const text = (key: string): string | undefined => metadata.get(key)[0]?.toString();
    const caller = found.guard.admit(found.method, {
      authorization: text('authorization'),
      onBehalfOf: text(ON_BEHALF_OF),
    });
    setCaller(metadata, caller);
    return isStream ? found.guard.watch(caller, (error) => call.sendStatus(statusFrom(error))) : undefined;
  });
}

function authentication({ tokens, metrics, log }: InterceptorOptions): ServerInterceptor {
  const digests = new Map(
    [...tokens].flatMap(([name, token]) => (token === undefined ? [] : [[name, digest(`Bearer ${token}`)]])),
  );
  return gate(metrics, log, (path, metadata) => {
    const expected = digests.get(path.split('/')[1] ?? '');
    if (!expected || isExempt(path)) return;
    const given = metadata.get('authorization')[0];
    if (given === undefined) {
      throw new MillraceError('unauthenticated', 'This server wants a token: send the metadata "authorization: Bearer <token>".');
    }
    // Digests have one length, so the comparison tells nothing about the token.
    if (!timingSafeEqual(digest(String(given)), expected)) {
      throw new MillraceError('unauthenticated', 'The token is not the one that this service takes.');
    }
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Unary calls must say how long they wait. Streams live as long as both sides want. */
function deadline({ deadlineCapMs, metrics, log }: InterceptorOptions): ServerInterceptor {
  const required = gate(metrics, log, (path, _metadata, call, isStream) => {
    if (isStream || isExempt(path)) return;
    if (Number(call.getDeadline()) === Infinity) {
      throw new MillraceError(
        'invalid_argument',
        `Set a deadline of at most ${deadlineCapMs / 1000} s on this call (grpcurl: -max-time 10), so that it cannot wait for ever.`,
        { field: 'grpc-timeout' },
      );
    }
  });
  return (method, call) => {
    const isStream = method.requestStream || method.responseStream;
    if (isStream || Number(call.getDeadline()) <= Date.now() + deadlineCapMs) return required(method, call);
    const timer = setTimeout(() => {
      call.sendStatus(
        statusFrom(new MillraceError('deadline_exceeded', `The server ends unary calls after ${deadlineCapMs / 1000} s.`)),
      );
    }, deadlineCapMs);
    const listener = new ServerListenerBuilder().withOnCancel(() => clearTimeout(timer)).build();
    const responder = new ResponderBuilder().withStart((next) => next(listener)).build();
    return new ServerInterceptingCall(required(method, call), responder);
  };
}

function rateLimit({ limiter, metrics, log }: InterceptorOptions): ServerInterceptor {
  return gate(metrics, log, (path, _metadata, call) => {
    if (isExempt(path)) return;
    const wait = limiter.take(call.getConnectionInfo().remoteAddress ?? 'local');
    if (wait > 0) throw new MillraceError('resource_exhausted', `Too many calls from this address; try again in ${wait} ms.`);
  });
}

function metrics({ metrics: counts }: InterceptorOptions): ServerInterceptor {
  return ({ path }, call) => {
    let started: number | undefined;
    const end = (code: Status): void => {
      if (started === undefined) return;
      counts.ended(path, Status[code], performance.now() - started);
      started = undefined;
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        started = performance.now();
        counts.started(path);
        next(metadata);
      })
      .withOnCancel(() => end(Date.now() >= Number(call.getDeadline()) ? Status.DEADLINE_EXCEEDED : Status.CANCELLED))
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendStatus((status, next) => {
        end(status.code ?? Status.UNKNOWN);
        next(status);
      })
      .build();
    return new ServerInterceptingCall(call, responder);
  };
}

/** Requests that are no message of the method's type end the call with INVALID_ARGUMENT; see {@link UndecodableRequest}. */
function errors(): ServerInterceptor {
  return (_method, call) => {
    const listener = new ServerListenerBuilder()
      .withOnReceiveMessage((message: unknown, next) => {
        if (message instanceof UndecodableRequest) call.sendStatus(statusFrom(message.error));
        else next(message);
      })
      .build();
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build());
  };
}

/** Throws what the call ends with, or returns what is to be called when it is over. */
type Check = (
  path: string,
  metadata: Metadata,
  call: ServerInterceptingCallInterface,
  isStream: boolean,
) => (() => void) | undefined | void;

/** An interceptor that lets a call pass or ends it with what `check` throws. */
function gate(metrics: RpcMetrics, log: RpcLog, check: Check): ServerInterceptor {
  return ({ path, requestStream, responseStream }, call) => {
    let over: (() => void) | undefined | void;
    const end = (): void => {
      over?.();
      over = undefined;
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        try {
          over = check(path, metadata, call, requestStream || responseStream);
        } catch (thrown) {
          const status = statusFrom(thrown);
          metrics.refused(path, Status[status.code]);
          log.debug(
            { method: path, peer: call.getPeer(), traceId: metadata.get(TRACE_KEY)[0], status: status.code },
            'call refused',
          );
          call.sendStatus(status);
          return;
        }
        next(metadata);
      })
      .withOnCancel(end)
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendStatus((status, next) => {
        end();
        next(status);
      })
      .build();
    return new ServerInterceptingCall(call, responder);
  };
}
