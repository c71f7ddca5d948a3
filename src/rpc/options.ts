import { MillraceError } from '../errors.ts';
import type { TlsIdentity } from '../identity/tls-identity.ts';

/** Which server a client without a certificate talks to. */
export type ServerTrust = 'any' | { readonly ca: string; readonly role?: string };

/** Options of `createClient`. */
export interface ClientOptions {
  /** Bearer token, when the server wants one. */
  token?: string | undefined;
  /** Connects with TLS, shows this certificate and checks that the server's is for its host. Default: no TLS. */
  tls?: TlsIdentity | undefined;
  /**
   * Connects with TLS and shows no certificate, as who joins a cluster. The server's must be for its host, from this authority (PEM) and, with
   * `role`, for this role; `any`: whatever it shows, so that nothing that it says is to be believed. Default: none; not with `tls`.
   */
  trust?: ServerTrust | undefined;
  /** Deadline of unary calls in milliseconds, 0 to 2^31 - 1. Default 30_000; servers cap it at 60_000. */
  timeoutMs?: number | undefined;
  /** Largest answer, in bytes. Default 16 MiB. */
  maxReceiveBytes?: number | undefined;
}

/** Options of one call. */
export interface CallOptions {
  /** Milliseconds from now, 0 to 2^31 - 1. Default: the client's for unary calls, none for streams. */
  timeoutMs?: number | undefined;
  /** Cancels the call; it then fails with `cancelled`. */
  signal?: AbortSignal | undefined;
  /** Name of the caller for whom this call is made, from who may say so: the gateway. Default: for oneself. */
  onBehalfOf?: string | undefined;
}

/** Beyond it timers fire at once. */
const LONGEST_MS = 0x7fff_ffff;

/** Throws `invalid_argument` with the field unless these are {@link ClientOptions}. */
export function checkClientOptions(options: ClientOptions): void {
  checkObject(options);
  checkTimeout(options.timeoutMs);
  const { token } = options;
  if (token !== undefined && (typeof token !== 'string' || !/^[\x20-\x7e]*$/.test(token)))
    throw wrong('token', 'a string of printable ASCII characters is needed');
}

/** Throws `invalid_argument` with the field unless these are {@link CallOptions}: grpc-js would throw from a timer, where nobody can catch it. */
export function checkCallOptions(options: CallOptions): void {
  checkObject(options);
  checkTimeout(options.timeoutMs);
  const { signal } = options;
  if (signal !== undefined && !(typeof signal?.addEventListener === 'function' && typeof signal.aborted === 'boolean'))
    throw wrong('signal', `an AbortSignal is needed, got ${shown(signal)}`);
}

function checkObject(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw wrong('options', `an object is needed, got ${shown(options)}`);
}

function checkTimeout(timeoutMs: unknown): void {
  if (timeoutMs === undefined) return;
  if (typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= LONGEST_MS) return;
  throw wrong('timeoutMs', `a number of milliseconds from 0 to ${LONGEST_MS} is needed, got ${shown(timeoutMs)}`);
}

function shown(value: unknown): string {
  return typeof value === 'number' || value === null ? String(value) : `${typeof value}`;
}

function wrong(field: string, message: string): MillraceError {
  return new MillraceError('invalid_argument', message, { field });
}
