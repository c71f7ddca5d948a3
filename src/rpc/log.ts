/** What src/rpc writes its log to; a pino logger is one. */
export interface RpcLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Drops everything. */
export const silentLog: RpcLog = { debug: () => {}, warn: () => {}, error: () => {} };
