import { NODES } from '../../src/protocol/names.ts';
import { z } from 'zod';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import type { ActorStatus } from '../../src/actor/behaviour.ts';
import { SEVERAL_ROLES, type RoleName } from '../../src/protocol/roles.ts';

/** An actor as its node reports it; older versions say neither what it has in hand nor how it failed. */
type ReportedActor = Omit<ActorStatus, 'inFlight' | 'lastError'> & Partial<Pick<ActorStatus, 'inFlight' | 'lastError'>>;

/** What a node tells about itself with every heartbeat; bucket `nodes`, which forgets a node that has gone silent. */
export interface NodeInfo {
  /** Version of these fields; absent before there was one. One that older versions cannot read gets the next number. */
  format?: number;
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
  actors: ReportedActor[];
}

const HEARTBEAT_MS = 2_000;
const NODE_FORMAT = 1;

/** Key of a node's record: under its role, which is as far as the server lets an identity write; nodes of several roles have a name of their own. */
function nodeKey({ id, roles }: Pick<NodeInfo, 'id' | 'roles'>): string {
  return `${roles.length === 1 ? roles[0] : SEVERAL_ROLES}.${id}`;
}

/**
 * Reads what {@link announce} wrote under this key.
 *
 * @throws MillraceError `failed_precondition` when a newer version wrote it, `data_loss` when it is none.
 */
export function decodeNode(bytes: Uint8Array, key: string): NodeInfo {
  let info: Partial<NodeInfo> | null;
  try {
    info = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Partial<NodeInfo> | null;
  } catch (cause) {
    throw new MillraceError('data_loss', 'it is not JSON (truncated, or something else)', { cause });
  }
  if (typeof info?.format === 'number' && info.format > NODE_FORMAT) {
    const versions = `format ${info.format}; this version reads ${NODE_FORMAT}`;
    throw new MillraceError('failed_precondition', `a newer version of Millrace wrote it (${versions}): upgrade`);
  }
  const parsed = nodeSchema.safeParse(info);
  if (!parsed.success) throw new MillraceError('data_loss', `it is no node record (${parsed.error.issues[0]?.path.join('.')})`);
  const node = parsed.data as unknown as NodeInfo;
  // Nobody is let write under another role's name, and nobody is believed to have another role.
  if (nodeKey(node) !== key) throw new MillraceError('data_loss', `it is that of node "${node.id}", ${node.roles.join('+')}`);
  return node;
}

const figure = z.number();
const nodeSchema = z.looseObject({
  id: z.string(),
  roles: z.array(z.string()),
  pid: z.int().min(0),
  address: z.string(),
  startedAt: figure,
  heartbeatAt: figure,
  rssBytes: figure,
  peakRssBytes: figure,
  cpuSeconds: figure,
  eventLoopDelayMs: figure,
  labels: z.record(z.string(), z.string()),
  actors: z.array(
    z.looseObject({
      address: z.string(),
      state: z.string(),
      mailboxDepth: figure,
      restarts: figure,
      waitingFor: z.string(),
      messages: figure,
      inFlight: figure.optional(),
      lastError: z.string().optional(),
    }),
  ),
});

/** Options of {@link announce}. */
export interface AnnounceOptions {
  /** Milliseconds between two heartbeats. Default 2000. */
  everyMs?: number;
  /** Called when a heartbeat has ended: whether it was taken. */
  onBeat?: (taken: boolean) => void;
}

/** Writes the node's heartbeat until stopped; the first one is written before it resolves. */
export async function announce(
  bus: Bus,
  clock: Clock,
  describe: () => NodeInfo,
  { everyMs = HEARTBEAT_MS, onBeat }: AnnounceOptions = {},
): Promise<() => Promise<void>> {
  const kv = bus.kv(NODES);
  const key = nodeKey(describe());
  const beat = async (): Promise<void> =>
    void (await kv.put(key, new TextEncoder().encode(JSON.stringify({ format: NODE_FORMAT, ...describe() }))));
  await beat();
  // One that is missed says the same as it would in the log: the node cannot be reached.
  const stop = clock.every(everyMs, () =>
    beat().then(
      () => onBeat?.(true),
      () => onBeat?.(false),
    ),
  );
  return async () => {
    stop();
    // Where nobody takes the farewell, the entry expires.
    await kv.delete(key).catch(() => {});
  };
}

function readable(value: Uint8Array, key: string): NodeInfo | undefined {
  try {
    return decodeNode(value, key);
  } catch {
    return undefined;
  }
}

/** The nodes that have a role, by id; reads the bucket, for those who ask too rarely to follow it. A node that died is in it for 15 s more. */
export async function findNodes(bus: Bus, role: RoleName): Promise<NodeInfo[]> {
  const kv = bus.kv(NODES);
  const found: NodeInfo[] = [];
  for (const filter of keysOf(role)) {
    for (const key of await kv.keys(filter)) {
      const entry = await kv.get(key);
      const info = entry && readable(entry.value, key);
      if (info?.roles.includes(role)) found.push(info);
    }
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Keys under which nodes of a role are. */
const keysOf = (role: RoleName): string[] => [`${role}.*`, `${SEVERAL_ROLES}.*`];

/**
 * Follows the nodes of a role: `onNode` is called with each of their heartbeats, and with undefined for a key whose node has gone. Returns a
 * function that stops it.
 */
export async function watchRole(
  bus: Bus,
  role: RoleName,
  onNode: (key: string, info: NodeInfo | undefined) => void,
): Promise<() => void> {
  const kv = bus.kv(NODES);
  const stops = await Promise.all(
    keysOf(role).map((filter) =>
      kv.watch(filter, ({ key, value }) => {
        const info = value && readable(value, key);
        onNode(key, info?.roles.includes(role) ? info : undefined);
      }),
    ),
  );
  return () => stops.forEach((stop) => stop());
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
  const stop = await bus.kv(NODES).watch('>', ({ key, value }) => {
    // What cannot be read is no node that can be called; it expires unless somebody goes on writing it.
    const info = value && readable(value, key);
    if (info) nodes.set(key, info);
    else nodes.delete(key);
  });
  const list = (): NodeInfo[] => [...nodes.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { list, withRole: (role) => list().filter((node) => node.roles.includes(role)), close: stop };
}
