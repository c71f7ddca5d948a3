import type { NodeEnd } from './node-end.ts';
import type { ServerStoreOptions } from '../../src/store/server.ts';
import type { Retention } from '../../src/store/retention.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { LogLevel } from '../../src/telemetry/log.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { Identity } from '../infra/nats/access.ts';
import type { Gpu } from '../infra/gpus.ts';

/** An identity on the cluster's own nats-server, with its password. */
export interface NatsLogin {
  identity: Identity;
  password: string;
}

/**
 * What a node process is told at its start, over its IPC channel: it holds secrets, which other accounts could read in arguments, and the
 * programs that a flow starts would inherit in the environment.
 */
export interface NodeSettings {
  id: string;
  roles: RoleName[];
  natsUrl: string;
  /** Who it is on the cluster's own nats-server; absent for a server that ran already. */
  nats?: NatsLogin | undefined;
  stateDir: string;
  /** Bearer token of all gRPC of the cluster, for roles that serve or call it. */
  token?: string | undefined;
  clickhouse?: ServerStoreOptions | undefined;
  /** Port of the embedded engine's ClickHouse interface, with role store; 0: a free one; `auto`: 8123 or a free one; absent: none. */
  clickhousePort?: number | 'auto' | undefined;
  /** Passwords of that interface's users `reader` and `writer`. */
  clickhouseReadToken?: string | undefined;
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
  /** It was up before. */
  wasUp?: boolean;
  /** How it died. */
  previousEnd?: NodeEnd | undefined;
}

/** Supervisor to node; `start` comes first, and once. */
export type ToNode = { kind: 'start'; settings: NodeSettings } | { kind: 'stop' } | { kind: 'ping' };

/** Node to supervisor. */
export type FromNode =
  | { kind: 'ready'; address: string; clickhousePort?: number | undefined }
  /** Before `ready`: what it does now. */
  | { kind: 'starting'; step: string }
  | { kind: 'pong'; rssBytes: number }
  /** Something a person must learn, in words; it goes on. */
  | { kind: 'trouble'; text: string }
  /** It cannot go on, and ends. */
  | { kind: 'error'; message: string; code: ErrorCode; field?: string | undefined };
