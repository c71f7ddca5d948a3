import { JetStreamApiError, JetStreamError, jserrors } from '@nats-io/jetstream/internal';
import { errors } from '@nats-io/nats-core';
import { MillraceError } from '../../errors.ts';

/** Error numbers of the JetStream API that mean something to us. */
export const API_ERRORS = {
  consumerNotFound: 10014,
  insufficientResources: 10023,
  /** Fewer servers than copies, or they do not know of each other yet. */
  noPeers: 10005,
  messageNotFound: 10037,
  sequenceNotFound: 10043,
  messageDeleteFailed: 10057,
  memoryExceeded: 10028,
  storageExceeded: 10047,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  streamOfflineOrUpdating: 10118,
  wrongLastSequence: 10071,
  streamStoreFailed: 10077,
  workQueueNeedsExplicitAck: 10098,
  workQueueNotUnfiltered: 10099,
  workQueueNotUnique: 10100,
  maxBytesExceeded: 10122,
  consumerExists: 10148,
} as const;

const FULL = /maximum (messages|bytes|message)|insufficient|resource limits? exceeded|storage exceeded/i;

/** The number the server gave, if the error is one of the JetStream API. */
export function apiCode(thrown: unknown): number | undefined {
  return thrown instanceof JetStreamApiError ? thrown.code : undefined;
}

/** Whether an error of {@link toBusError} says that there is no such stream. */
export function isStreamGone(thrown: unknown): boolean {
  return thrown instanceof MillraceError && apiCode(thrown.cause) === API_ERRORS.streamNotFound;
}

/** The server's refusal, where it is one: a request that was refused comes wrapped. */
function refusal(thrown: unknown): Error | undefined {
  for (let at = thrown; at instanceof Error; at = at.cause) if (at instanceof errors.PermissionViolationError) return at;
  return undefined;
}

function isFull(thrown: unknown): boolean {
  return thrown instanceof JetStreamApiError && FULL.test(thrown.message);
}

/** Whether another try over a healthy connection may go through: nothing answered, or nothing could be sent. */
export function isTransient(thrown: unknown): boolean {
  if (refusal(thrown) !== undefined) return false;
  // A full stream answers 503 too, but it is an answer: only the caller knows whether to wait for room.
  if (isFull(thrown)) return false;
  if (thrown instanceof Disconnected || thrown instanceof errors.TimeoutError || thrown instanceof errors.NoRespondersError)
    return true;
  if (thrown instanceof jserrors.JetStreamNotEnabled)
    return thrown.cause instanceof errors.RequestError || thrown.cause === undefined;
  if (thrown instanceof errors.RequestError) return true;
  if (thrown instanceof JetStreamApiError) return thrown.status === 503;
  return thrown instanceof JetStreamError && !(thrown instanceof JetStreamApiError) && /\b503\b/.test(thrown.message);
}

/** The connection went away while an answer was awaited. */
export class Disconnected extends Error {
  override readonly name = 'Disconnected';
}

/** Codes of Node.js for certificates that it does not trust. */
const UNTRUSTED: readonly string[] = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
];

/** What the server or the client threw, in the words of the Bus port. */
export function toBusError(thrown: unknown, what: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const cause = { cause: thrown };
  switch (apiCode(thrown)) {
    case API_ERRORS.messageNotFound:
      return new MillraceError('not_found', `${what}: ${message}`, cause);
    case API_ERRORS.streamNotFound:
      return new MillraceError('unavailable', `${what}: ${message}; a coordinator makes it again`, cause);
    case API_ERRORS.noPeers:
      return new MillraceError('unavailable', `${what}: ${message}: too few servers of the NATS cluster are there yet`, cause);
    case API_ERRORS.wrongLastSequence:
      return new MillraceError('aborted', `${what}: someone else wrote it (${message})`, { ...cause, field: 'revision' });
    case API_ERRORS.workQueueNotUnique:
    case API_ERRORS.workQueueNotUnfiltered:
      return new MillraceError(
        'failed_precondition',
        `${what}: the work queue already has a durable on these subjects (${message})`,
        { ...cause, field: 'filter' },
      );
    case API_ERRORS.insufficientResources:
    case API_ERRORS.memoryExceeded:
    case API_ERRORS.storageExceeded:
      return new MillraceError('resource_exhausted', `${what}: ${message}; give the server more storage (max_file_store)`, cause);
    default:
  }
  const refused = refusal(thrown);
  if (refused !== undefined) {
    const advice = "this user's permissions on the server do not allow it";
    return new MillraceError('permission_denied', `${what}: ${refused.message}; ${advice}`, cause);
  }
  if (isFull(thrown)) {
    return new MillraceError('resource_exhausted', `${what}: ${message}; try again when the stream has been worked off`, cause);
  }
  if (isTransient(thrown)) return new MillraceError('unavailable', `${what}: no answer from NATS (${message})`, cause);
  if (thrown instanceof errors.ClosedConnectionError || thrown instanceof errors.DrainingConnectionError) {
    return new MillraceError('unavailable', `${what}: the connection is closed`, { ...cause, retryable: false });
  }
  if (thrown instanceof errors.AuthorizationError || thrown instanceof errors.UserAuthenticationExpiredError) {
    return new MillraceError(
      'unauthenticated',
      `${what}: ${message}; check what it logs in with: user and password, token, credentials file or nkey`,
      cause,
    );
  }
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code;
  if (code !== undefined && UNTRUSTED.includes(code)) {
    const why = `the certificate of the server cannot be verified (${message}); nats.caFile names the authority that signed it`;
    return new MillraceError('unauthenticated', `${what}: ${why}`, cause);
  }
  if (thrown instanceof errors.ConnectionError) return new MillraceError('unavailable', `${what}: ${message}`, cause);
  if (thrown instanceof errors.InvalidArgumentError || thrown instanceof errors.InvalidSubjectError) {
    return new MillraceError('invalid_argument', `${what}: ${message}`, cause);
  }
  if (thrown instanceof JetStreamApiError && thrown.status === 400)
    return new MillraceError('failed_precondition', `${what}: ${message}`, cause);
  return new MillraceError('internal', `${what}: ${message}`, cause);
}
