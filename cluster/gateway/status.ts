import type { ErrorCode, MillraceError } from '../../src/errors.ts';

/** HTTP status of each kind of error; the pairs of google.rpc.Code, but 413 for what is too large, which the server says itself. */
export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  not_found: 404,
  already_exists: 409,
  failed_precondition: 412,
  permission_denied: 403,
  unauthenticated: 401,
  resource_exhausted: 429,
  aborted: 409,
  cancelled: 499,
  deadline_exceeded: 504,
  unavailable: 503,
  unimplemented: 501,
  data_loss: 500,
  internal: 500,
};

/** Body of a response that tells of an error. What an internal one says stays in the log: it may hold paths and secrets. */
export function errorBody({ code, message, field, retryable }: MillraceError): object {
  const text =
    code === 'internal' || code === 'data_loss' ? 'Something went wrong here; the log of the gateway says what.' : message;
  return { error: { code, message: text, retryable, ...(field !== undefined && { field }) } };
}
