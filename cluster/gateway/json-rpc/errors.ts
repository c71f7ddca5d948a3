import type { ErrorCode, MillraceError } from '../../../src/errors.ts';

/** JSON-RPC's code of each kind of error: its own where it has one, else one of those that it leaves to servers. */
const CODES: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: -32602,
  internal: -32603,
  data_loss: -32603,
  unimplemented: -32001,
  permission_denied: -32003,
  not_found: -32004,
  unauthenticated: -32005,
  cancelled: -32006,
  already_exists: -32009,
  aborted: -32010,
  failed_precondition: -32012,
  resource_exhausted: -32029,
  unavailable: -32053,
  deadline_exceeded: -32054,
};

/** What a JSON-RPC answer says of an error. */
export interface RpcError {
  code: number;
  message: string;
  data: { code: ErrorCode; reason: string; retryable: boolean; field?: string };
}

/** An error for a JSON-RPC answer. What an internal one says stays in the log: it may hold paths and secrets. */
export function rpcError({ code, message, field, reason, retryable }: MillraceError): RpcError {
  const isSecret = code === 'internal' || code === 'data_loss';
  return {
    code: CODES[code],
    message: isSecret ? 'Something went wrong here; the log of the gateway says what.' : message,
    data: { code, reason, retryable, ...(field !== undefined && { field }) },
  };
}
