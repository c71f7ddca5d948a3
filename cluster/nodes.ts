import type { Bus } from '../src/bus/bus.ts';
import type { Clock } from '../src/clock/clock.ts';
import type { ActorStatus } from '../src/actor/behaviour.ts';
import type { RoleName } from './context.ts';

/** What a node tells about itself with every heartbeat; bucket `nodes`, which forgets a node that has gone silent. */
export interface NodeInfo {
  id: string;
  roles: RoleName[];
  pid: number;
  /** gRPC address, '' when it serves nothing. */
  address: string;
  /** Unix milliseconds. */
  startedAt: number;
  heartbeatAt: number;
  rssBytes: number;
  peakRssBytes: number;
  cpuSeconds: number;
  eventLoopDelayMs: number;
  labels: Record<string, string>;
  actors: ActorStatus[];
}

const HEARTBEAT_MS = 2_000;

/** Writes the node's heartbeat until stopped; the first one is written before it resolves. */
export async function announce(bus: Bus, clock: Clock, describe: () => NodeInfo): Promise<() => Promise<void>> {
  const kv = bus.kv('nodes');
  const { id } = describe();
  const beat = async (): Promise<void> => void (await kv.put(id, new TextEncoder().encode(JSON.stringify(describe()))));
  await beat();
  // One that is missed says the same as it would in the log: the node cannot be reached.
  const stop = clock.every(HEARTBEAT_MS, () => beat().catch(() => {}));
  return async () => {
    stop();
    // Where nobody takes the farewell, the entry expires.
    await kv.delete(id).catch(() => {});
  };
}

/** The nodes that are alive, as far as is known here. */
export interface NodeList {
  list(): NodeInfo[];
  withRole(role: RoleName): NodeInfo[];
  close(): void;
}

/** Follows bucket `nodes`. */
export async function watchNodes(bus: Bus): Promise<NodeList> {
  const nodes = new Map<string, NodeInfo>();
  const stop = await bus.kv('nodes').watch('>', ({ key, value }) => {
    if (value) nodes.set(key, JSON.parse(new TextDecoder().decode(value)) as NodeInfo);
    else nodes.delete(key);
  });
  const list = (): NodeInfo[] => [...nodes.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { list, withRole: (role) => list().filter((node) => node.roles.includes(role)), close: stop };
}
