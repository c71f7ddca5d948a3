import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';

/** What src/rpc writes its log to; a pino logger is one. */
export interface RpcLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Drops everything. */
export const silentLog: RpcLog = { debug: () => {}, warn: () => {}, error: () => {} };

/**
 * Keeps grpc-js from writing to stderr: what goes wrong is told by the errors that its calls return. GRPC_VERBOSITY turns its
 * log on again.
 */
export function quietGrpc(): void {
  if (!process.env['GRPC_VERBOSITY']) setLogVerbosity(logVerbosity.NONE);
}
