import { MillraceError } from '../../src/errors.ts';
import type { Listening } from '../../src/http/listening.ts';
import type { MetricsRegistry } from '../../src/telemetry/metrics.ts';
import type { Logger } from 'pino';
import type { ClickHousePort } from '../../src/store/http/server.ts';
import type { Store } from '../../src/store/store.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { ClickHouseInterface } from '../runtime/settings/roles.ts';

/** Where ClickHouse's clients look. */
const CLICKHOUSE_HTTP_PORT = 8123;

/** Settings of the port. Without `readToken` any password will do for user `reader`, without `writeToken` nobody may write. */
type Requested = Pick<ClickHouseInterface, 'port'> & Partial<ClickHouseInterface> & { listening?: Listening | undefined };

/** Serves the store's engine on ClickHouse's HTTP interface; undefined when none is requested, or the engine is a server itself. */
export async function openClickHousePort(
  store: Store,
  requested: Requested | undefined,
  log?: Logger,
): Promise<ClickHousePort | undefined> {
  if (requested === undefined) return undefined;
  const { EmbeddedStore } = await import('../../src/store/embedded.ts');
  if (!(store instanceof EmbeddedStore)) return undefined;
  const { serveClickHouse } = await import('../../src/store/http/server.ts');
  const { engine } = store;
  const open = (port: number): Promise<ClickHousePort> =>
    serveClickHouse({
      engine,
      port,
      readToken: requested.readToken,
      writeToken: requested.writeToken,
      listening: requested.listening,
      audit: ({ refused, ...entry }) => {
        if (refused === undefined) log?.info(entry, 'administrative statement');
        else log?.warn({ ...entry, refused }, 'administrative statement refused');
      },
    });
  if (requested.port !== 'auto') return open(requested.port);
  try {
    return await open(CLICKHOUSE_HTTP_PORT);
  } catch (error) {
    if (MillraceError.from(error).code !== 'failed_precondition') throw error;
    return open(0);
  }
}

/** How often a port that was taken is tried again. */
const AGAIN_MS = 5_000;

/** A port that is open, or will be when whoever has it lets go of it. */
export interface KeptClickHousePort {
  /** Undefined while it is not open. */
  readonly open: ClickHousePort | undefined;
  close(): Promise<void>;
}

/**
 * {@link openClickHousePort} for as long as the node runs. It is a way to look at the store: that the port is taken must not keep
 * trajectories from being written, and after a restart it may be taken for a moment only.
 */
export async function keepClickHousePort(
  { metrics, clock, log }: Pick<NodeContext, 'metrics' | 'clock' | 'log'>,
  store: Store,
  requested: Requested | undefined,
): Promise<KeptClickHousePort> {
  let open: ClickHousePort | undefined;
  let stop: (() => void) | undefined;
  let trying: Promise<void> = Promise.resolve();
  const attempt = async (): Promise<void> => {
    try {
      open = await openClickHousePort(store, requested, log);
      stop?.();
      if (!open) return;
      readClickHousePort(metrics, open);
      log.info({ url: open.url }, 'ClickHouse interface open');
    } catch (error) {
      const err = MillraceError.from(error);
      if (stop) return;
      log.error({ err }, 'no ClickHouse interface on HTTP');
      if (err.code === 'failed_precondition') stop = clock.every(AGAIN_MS, () => (trying = attempt()));
    }
  };
  await attempt();
  return {
    get open() {
      return open;
    },
    async close() {
      stop?.();
      await trying;
      await open?.close();
    },
  };
}

/** Has what the port counts read at each scrape. */
export function readClickHousePort(metrics: MetricsRegistry, port: ClickHousePort): void {
  metrics.onScrape(() => {
    const { requests, seconds, running, waiting } = port.stats();
    for (const [status, count] of Object.entries(requests)) metrics.total('clickhouse_requests_total', { status }, count);
    metrics.total('clickhouse_seconds_total', {}, seconds);
    metrics.set('clickhouse_queries', { state: 'running' }, running);
    metrics.set('clickhouse_queries', { state: 'waiting' }, waiting);
  });
}
