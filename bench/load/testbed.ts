import { join } from 'node:path';
import { collectQuery } from '../../cluster/admin/query-rows.ts';
import { startNatsServer } from '../../cluster/infra/nats-server.ts';
import { deferred } from '../../cluster/up/deferred.ts';
import { openCredentials } from '../../cluster/infra/credentials.ts';
import { freePort } from '../../cluster/up/free-port.ts';
import { superviseNode } from '../../cluster/up/child.ts';
import type { NodeSettings } from '../../cluster/runtime/settings/node.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { connectBus } from '../../src/protocol/connect.ts';
import { MillraceError } from '../../src/errors.ts';
import { StoreService } from '../../src/gen/millrace/v1/store_pb.ts';
import { createClient } from '../../src/rpc/client.ts';
import type { QueryResult } from '../../src/store/store.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { ProcessSampler } from './processes.ts';
import type { StoreNode } from './store-node.ts';

/** A nats-server and a store node, as `millrace up` runs them, in a folder of their own. */
export interface Testbed {
  readonly natsUrl: string;
  readonly bus: Bus;
  readonly store: StoreNode;
  /** Folder of the embedded engine: one process at a time. */
  readonly database: string;
  readonly sampler: ProcessSampler;
  /** Asks the store node. */
  query(sql: string): Promise<QueryResult>;
  /** A counter of the store node, by the end of its name; 0 while there is none. */
  counter(name: string): Promise<number>;
  /** Ends the store node, so that its folder can be opened. */
  stopStore(): Promise<void>;
  stop(): Promise<void>;
}

const QUERY_ROWS = 100_000;
const STOP_MS = 15_000;
const INTERRUPTED_STOP_MS = 500;

/**
 * Starts both and watches what they use, as `nats-server` and `store`.
 *
 * @param startStore how the store node is kept running. Default: as `millrace up` does.
 */
export async function startTestbed(
  folder: string,
  signal: AbortSignal,
  startStore?: (settings: NodeSettings) => StoreNode,
): Promise<Testbed> {
  signal.throwIfAborted();
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    const nats = await startNatsServer({ storeDir: join(folder, 'nats'), signal });
    stops.push(() => nats.stop());
    const stateDir = join(folder, 'state');
    const metricsPort = await freePort();
    const log = createLogger({ name: 'bench', level: 'warn', file: join(stateDir, 'logs', 'bench.log') });
    const { storeToken } = openCredentials(stateDir);
    const start = startStore ?? ((settings: NodeSettings): StoreNode => superviseNode({ settings, log }));
    const store = start({
      id: 'store-1',
      roles: [{ role: 'store', storeToken }],
      natsUrl: nats.url,
      stateDir,
      logLevel: 'warn',
      metricsPort,
    });
    let stopped: Promise<void> | undefined;
    // After an interrupt nobody asks what it still held.
    const stopStore = (): Promise<void> => (stopped ??= store.stop(signal.aborted ? INTERRUPTED_STOP_MS : STOP_MS));
    stops.push(stopStore);
    await orAborted(store.ready, signal);
    const bus = await connectBus({ servers: nats.url, name: 'bench' });
    stops.push(() => bus.close());
    const sampler = new ProcessSampler();
    stops.push(async () => sampler.close());
    sampler.watch('nats-server', () => nats.pid);
    sampler.watch('store', () => store.pid);
    return {
      natsUrl: nats.url,
      bus,
      store,
      database: join(stateDir, 'clickhouse'),
      sampler,
      stopStore,
      stop,
      async counter(name) {
        const scraped = await fetch(`http://127.0.0.1:${metricsPort}/metrics`).then((response) => response.text());
        return Number(new RegExp(`^\\w*${name}(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(scraped)?.[1] ?? 0);
      },
      async query(sql) {
        const client = createClient(StoreService, await store.address(), { token: storeToken });
        try {
          return await collectQuery(client.runQuery({ sql, maxRows: QUERY_ROWS }));
        } finally {
          client.close();
        }
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What `work` gives, unless the signal aborts first. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const interrupted = deferred<never>();
  const abort = (): void => interrupted.reject(new MillraceError('cancelled', 'interrupted'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, interrupted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
