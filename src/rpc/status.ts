import { Metadata, status as Status } from '@grpc/grpc-js';
import type { ServiceError, StatusObject } from '@grpc/grpc-js';
import { MillraceError, type ErrorCode } from '../errors.ts';
import { decodeDetails, DETAILS_KEY, encodeDetails } from './error-details.ts';

const STATUS_OF: Record<ErrorCode, Status> = {
  invalid_argument: Status.INVALID_ARGUMENT,
  not_found: Status.NOT_FOUND,
  already_exists: Status.ALREADY_EXISTS,
  failed_precondition: Status.FAILED_PRECONDITION,
  permission_denied: Status.PERMISSION_DENIED,
  unauthenticated: Status.UNAUTHENTICATED,
  resource_exhausted: Status.RESOURCE_EXHAUSTED,
  aborted: Status.ABORTED,
  cancelled: Status.CANCELLED,
  deadline_exceeded: Status.DEADLINE_EXCEEDED,
  unavailable: Status.UNAVAILABLE,
  unimplemented: Status.UNIMPLEMENTED,
  data_loss: Status.DATA_LOSS,
  internal: Status.INTERNAL,
};

const CODE_OF = new Map<Status, ErrorCode>([
  ...Object.entries(STATUS_OF).map(([code, status]) => [status, code as ErrorCode] as const),
  [Status.UNKNOWN, 'internal'],
  [Status.OUT_OF_RANGE, 'invalid_argument'],
]);

/** Header and trailing metadata: the id under which the server logged the call. */
export const TRACE_KEY = 'millrace-trace-id';

/** Bytes of UTF-8. The message travels in an HTTP/2 header, percent-encoded, three for one; peers refuse headers beyond 8 to 16 KB. */
const LONGEST_DETAILS = 2000;
/** The same of a field, which may be a key that somebody sent. */
const LONGEST_FIELD = 300;

/** A gRPC status, complete. */
export type RpcStatus = Pick<StatusObject, 'code' | 'details' | 'metadata'>;

/** Anything thrown as a gRPC status. The field is in its {@link DETAILS_KEY} and, for people, at the start of the details. */
export function statusFrom(thrown: unknown): RpcStatus {
  const error = MillraceError.from(thrown);
  const code = STATUS_OF[error.code];
  const field = error.field === undefined ? undefined : wellFormed(error.field, LONGEST_FIELD);
  const details = wellFormed(field === undefined ? error.message : `${field}: ${error.message}`);
  const metadata = new Metadata();
  metadata.set(DETAILS_KEY, encodeDetails(error, { code, details, field }));
  return { code, details, metadata };
}

/** A failed call as the MillraceError that the server threw; failures of the transport are told with the server's address. */
export function errorFromStatus(thrown: unknown, address: string): MillraceError {
  if (thrown instanceof MillraceError || !isServiceError(thrown)) return MillraceError.from(thrown);
  const code = CODE_OF.get(thrown.code) ?? 'internal';
  const encoded = thrown.metadata instanceof Metadata ? thrown.metadata.get(DETAILS_KEY)[0] : undefined;
  const sent = encoded instanceof Buffer ? decodeDetails(encoded) : undefined;
  if (sent === undefined) return transportError(code, thrown.details, address, thrown);
  const { field, retryable, reason } = sent;
  const prefix = `${field}: `;
  const message = field !== undefined && thrown.details.startsWith(prefix) ? thrown.details.slice(prefix.length) : thrown.details;
  return new MillraceError(code, message, { cause: thrown, retryable, reason, ...(field !== undefined && { field }) });
}

function transportError(code: ErrorCode, details: string, address: string, cause: unknown): MillraceError {
  if (code === 'unavailable') {
    const last = /Last error: (?:Error: )?(.*?)\. Resolution note/.exec(details)?.[1] ?? details;
    const failed = tlsProblem(last);
    if (failed !== undefined) return new MillraceError(code, `No connection to ${address}: ${failed} (${last}).`, { cause });
    const ended = /before secure TLS connection|ECONNRESET|Failed to connect|socket hang up/.test(last);
    const question = ended ? 'Is the cluster running, and has it TLS as this client has it?' : 'Is the cluster running?';
    return new MillraceError(code, `Nothing answers at ${address} (${last}). ${question}`, { cause });
  }
  return new MillraceError(code, `${details} (from ${address})`, { cause });
}

/** What is wrong where TLS failed, in words, by what Node.js or OpenSSL says. */
const TLS_PROBLEMS: readonly [RegExp, string][] = [
  [/altnames|Hostname\/IP does not match/, "the server's certificate is for another host"],
  [/certificate has expired/, "the server's certificate has expired"],
  [
    /self-signed certificate|unable to (verify|get)|issuer certificate/,
    "the server's certificate is not from the authority in tls.caFile",
  ],
  [/wrong version number|packet length too long|http_request/, 'the server has no TLS; this client does'],
  [/alert unknown ca/, "the server does not know the authority of this client's certificate"],
  [/alert (certificate|bad certificate)/, 'the server does not take the certificate of this client'],
];

function tlsProblem(reason: string): string | undefined {
  return TLS_PROBLEMS.find(([pattern]) => pattern.test(reason))?.[1];
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && typeof (thrown as Partial<ServiceError>).code === 'number' && 'details' in thrown;
}

/** grpc-js percent-encodes the details with encodeURI, which throws on half a surrogate pair. */
function wellFormed(text: string, longest = LONGEST_DETAILS): string {
  const whole = text.slice(0, longest).replace(/\p{Surrogate}/gu, '\ufffd');
  const bytes = Buffer.from(whole);
  if (bytes.length <= longest) return text.length > longest ? `${whole} …` : whole;
  // A character that is cut in two is left out.
  return `${bytes
    .subarray(0, longest)
    .toString()
    .replace(/\ufffd+$/, '')} …`;
}
