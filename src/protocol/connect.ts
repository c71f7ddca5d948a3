import type { Bus } from '../bus/bus.ts';
import { connectNats, type NatsBusOptions } from '../bus/nats-bus.ts';
import { topology, type TopologyOptions } from './topology.ts';

/** Options of {@link connectBus}: those of the connection, and of the cluster's {@link topology}. */
export type ConnectOptions = Omit<NatsBusOptions, 'topology'> & TopologyOptions;

/** Connects to the NATS of a cluster. Throws what {@link connectNats} throws. */
export function connectBus(options: ConnectOptions): Promise<Bus> {
  return connectNats({ ...options, topology: topology(options) });
}
