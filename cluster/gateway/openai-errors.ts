import type { ErrorCode, MillraceError } from '../../src/errors.ts';
import { errorBody } from './status.ts';

/** Type of an error, in OpenAI's words. */
const TYPES: Partial<Readonly<Record<ErrorCode, string>>> = {
  invalid_argument: 'invalid_request_error',
  not_found: 'not_found_error',
  unauthenticated: 'authentication_error',
  permission_denied: 'permission_error',
  resource_exhausted: 'rate_limit_error',
  // What the caller can mend; all others are faults of a server.
  already_exists: 'invalid_request_error',
  failed_precondition: 'invalid_request_error',
};

/** An error in the shape that clients of OpenAI read: `{ error: { message, type, param, code } }`, beside what other routes say. */
export function openAiError(error: MillraceError): object {
  const { error: said } = errorBody(error) as { error: Record<string, unknown> };
  return {
    error: { ...said, type: TYPES[error.code] ?? 'server_error', param: error.field ?? null, code: error.reason.toLowerCase() },
  };
}
