import type { Logger } from 'pino';
import type { Bus } from '../../src/bus/bus.ts';
import { connectBus, type ConnectOptions } from '../../src/protocol/connect.ts';
import { WORK_DURABLES } from '../../src/protocol/durables.ts';
import { inboxPrefix, isWorker, WORKER_API } from '../infra/nats/access.ts';
import type { NatsLogin, NodeSettings } from '../runtime/settings/node.ts';

/** A killed node's jobs are taken over after at most this long; nobody's event loop stands still for a third of it. */
const LEASE_TTL_MS = 5_000;

/** What an identity connects with. */
export function loginOf({
  identity,
  password,
}: NatsLogin): Pick<ConnectOptions, 'user' | 'password' | 'inboxPrefix' | 'worker' | 'apiPrefix'> {
  const worker = isWorker(identity);
  return { user: identity, password, inboxPrefix: inboxPrefix(identity), worker, ...(worker && { apiPrefix: WORKER_API }) };
}

/** Connects a node to its cluster's NATS. */
export function connectNode({ id, natsUrl, nats, natsAccess }: NodeSettings, log: Logger): Promise<Bus> {
  return connectBus({
    servers: natsUrl,
    name: id,
    leaseTtlMs: LEASE_TTL_MS,
    durables: WORK_DURABLES,
    ...natsAccess,
    ...(nats && loginOf(nats)),
    onRefused: (err) => log.error({ err }, 'NATS refused this node something: its identity lacks a permission'),
  });
}
