import type { ServerStoreOptions } from '../../src/store/server.ts';
import type { Retention } from '../../src/store/retention.ts';
import type { LogLevel } from '../../src/telemetry/log.ts';
import type { RoleName } from '../context.ts';
import type { Gpu } from './gpus.ts';

/** What a node process is told at its start, as JSON in MILLRACE_NODE: it may hold a token, which must not be in arguments. */
export interface NodeSettings {
  id: string;
  roles: RoleName[];
  natsUrl: string;
  stateDir: string;
  token?: string | undefined;
  clickhouse?: ServerStoreOptions | undefined;
  /** Port of the embedded engine's ClickHouse interface, with role store; 0: a free one; `auto`: 8123 or a free one; absent: none. */
  clickhousePort?: number | 'auto' | undefined;
  /** Password of that interface's user `writer`. */
  clickhouseWriteToken?: string | undefined;
  /** How long the store keeps rows. */
  retention?: Retention | undefined;
  logLevel: LogLevel;
  /** Port of the node's gRPC server; 0 or absent: a free one. */
  port?: number | undefined;
  /** Port on which the node serves metrics to Prometheus, on this machine; 0 or absent: a free one. */
  metricsPort?: number | undefined;
  /** Compute backend to insist on. */
  backend?: string | undefined;
  /** The GPU it alone sees, if it has one. */
  gpu?: Gpu | undefined;
  /** The process before this one died. */
  afterCrash?: boolean;
}

/** Supervisor to node. */
export type ToNode = { kind: 'stop' } | { kind: 'ping' };

/** Node to supervisor. */
export type FromNode =
  { kind: 'ready'; address: string; clickhousePort?: number | undefined } | { kind: 'pong' } | { kind: 'error'; message: string };
