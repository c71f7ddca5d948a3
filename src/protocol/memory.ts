import type { Clock } from '../clock/clock.ts';
import { MemoryBus } from '../bus/memory/memory-bus.ts';
import { topology, type TopologyOptions } from './topology.ts';

/** An in-memory bus with the streams and buckets of a cluster, on a server of its own. */
export function memoryBus({ clock, maxPayload, ...options }: { clock: Clock; maxPayload?: number } & TopologyOptions): MemoryBus {
  return new MemoryBus({ clock, topology: topology(options), ...(maxPayload !== undefined && { maxPayload }) });
}
