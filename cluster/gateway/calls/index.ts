import { NO_PRICES, type PriceTable } from '../../../src/budget/prices.ts';
import type { ProvidersConfig } from '../../../src/config/providers.ts';
import { budgetLedger } from '../../jobs/job-spending.ts';
import type { NodeContext } from '../../runtime/context.ts';
import type { Route } from '../routes.ts';
import { chatRoute } from './chat.ts';
import { Journal } from './journal.ts';
import { modelsRoute } from './models.ts';
import { Providers } from './providers.ts';
import { UpstreamClient } from './upstream.ts';

/** Of a node, what calls work with. */
type CallsContext = Pick<NodeContext, 'artifacts' | 'bus' | 'callBodies' | 'clock' | 'log' | 'random'>;

/** Prices are read again after this long. */
const PRICES_MS = 10_000;

/** The routes that pass calls of language models on. `close` waits until their ends are written down. */
export function openCalls(context: CallsContext, settings: ProvidersConfig): { routes: Route[]; close: () => Promise<void> } {
  const { artifacts, bus, callBodies = artifacts, clock, random } = context;
  const upstreams = new UpstreamClient();
  const providers = new Providers(settings);
  const journal = new Journal({ bus, clock, bodies: callBodies });
  const call = { clock, random, providers, upstreams, journal, prices: pricesOf(context) };
  return {
    routes: [chatRoute(call), modelsRoute(call)],
    async close() {
      await journal.idle();
      upstreams.close();
    },
  };
}

/** The prices of the cluster; those from before, or none, where they cannot be read: a call is not kept from its journal for that. */
function pricesOf({ bus, clock, log }: CallsContext): () => Promise<PriceTable> {
  const ledger = budgetLedger({ bus, clock });
  let known: PriceTable = NO_PRICES;
  let read: Promise<void> | undefined;
  let until = -Infinity;
  return async () => {
    if (clock.monotonic() >= until) {
      until = clock.monotonic() + PRICES_MS;
      read = ledger.settings().then(
        ({ prices }) => void (known = prices),
        (err: unknown) => log.warn({ err }, 'the prices of models cannot be read; calls are booked at those from before'),
      );
    }
    await read;
    return known;
  };
}
