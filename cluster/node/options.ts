import type { Logger } from 'pino';
import type { ServerStoreOptions } from '../../src/store/server.ts';
import type { Retention } from '../../src/store/retention.ts';
import type { NodeEnd } from '../runtime/node-end.ts';
import type { Gpu } from '../infra/gpus.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { NatsLogin } from '../runtime/ipc.ts';

/** What a node needs to start. */
export interface NodeOptions {
  /** Unique in the cluster. */
  id: string;
  roles: readonly RoleName[];
  natsUrl: string;
  /** Who it is on a server that knows the identities of `cluster/infra/nats/access.ts`. Default: what the address says. */
  nats?: NatsLogin | undefined;
  /** Folder for checkpoints and, with role store, the embedded database. */
  stateDir: string;
  log: Logger;
  /** ClickHouse server; the embedded engine when absent. */
  clickhouse?: ServerStoreOptions | undefined;
  /** Port of the embedded engine's ClickHouse interface, with role store, at 127.0.0.1; 0: a free one; `auto`: 8123 or a free one. Default: none. */
  clickhousePort?: number | 'auto' | undefined;
  /** Password of that interface's user `reader`. Default: any will do. */
  clickhouseReadToken?: string | undefined;
  /** Password of that interface's user `writer`. Default: nobody may write. */
  clickhouseWriteToken?: string | undefined;
  /** How long the store keeps rows, with role store. Default: for ever. */
  retention?: Retention | undefined;
  /** Port of this node's gRPC server. Default 0: a free one. */
  port?: number;
  /** Port on which metrics are served to Prometheus, at 127.0.0.1. Default 0: a free one. */
  metricsPort?: number | undefined;
  /** Token for all gRPC of the cluster. */
  token?: string | undefined;
  /** The process before this one died: its work may be what killed it. Default false. */
  afterCrash?: boolean | undefined;
  /** It was up before under this id: what a person must change is waited for. Default false. */
  wasUp?: boolean | undefined;
  /** How it died. Default: it did not, or nobody knows. */
  previousEnd?: NodeEnd | undefined;
  /** tfjs backend to insist on. */
  backend?: string | undefined;
  /** Told in a few words what the start does next. */
  onStep?: (step: string) => void;
  /** Told in words what a person must learn, while the node goes on. */
  onTrouble?: (text: string) => void;
  /** The GPU this process was given, for the log. */
  gpu?: Gpu | undefined;
}
