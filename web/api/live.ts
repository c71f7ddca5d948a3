import { signal, type Signal } from '@preact/signals';
import { call } from './rpc.ts';
import { session } from './session.ts';
import type { ClusterNode, Job } from './types.ts';

/** How the page hears of what happens. */
export type Link = 'connecting' | 'live' | 'polling' | 'lost';

/** What is new in a feed, as the gateway says it. */
export interface Changes {
  feed: string;
  cursor: string;
  reset: boolean;
  items: unknown[];
  gone: string[];
}

const RETRY_MS = [500, 1000, 2000, 5000];
/** Tries without a connection after which the page asks again and again instead. */
const PATIENCE = 3;
const POLL_MS = 3000;

/** The newest state of every job. */
export const jobs = signal<ReadonlyMap<string, Job> | undefined>(undefined);
/** The newest state of every node. */
export const nodes = signal<ReadonlyMap<string, ClusterNode> | undefined>(undefined);
/** Whether what the page shows is live. */
export const link = signal<Link>('connecting');

const FEEDS: Readonly<Record<string, Signal<ReadonlyMap<string, { id: string }> | undefined>>> = {
  jobs: jobs as Signal<ReadonlyMap<string, { id: string }> | undefined>,
  nodes: nodes as Signal<ReadonlyMap<string, { id: string }> | undefined>,
};

/** What is known after some changes. */
export function applied<T extends { id: string }>(known: ReadonlyMap<string, T> | undefined, changes: Changes): Map<string, T> {
  const next = new Map(changes.reset ? [] : known);
  for (const item of changes.items as T[]) next.set(item.id, item);
  for (const id of changes.gone) next.delete(id);
  return next;
}

/**
 * Follows the cluster over one WebSocket until the function that it returns is called. After a break it goes on from what it heard last; while
 * it cannot connect, it asks every few seconds.
 */
export function follow(): () => void {
  const cursors: Record<string, string> = { jobs: '', nodes: '' };
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let over = false;

  const connect = (): void => {
    if (over) return;
    socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live`);
    socket.onopen = () => {
      failures = 0;
      link.value = 'live';
      socket?.send(JSON.stringify({ subscribe: cursors }));
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      const changes = JSON.parse(event.data) as Changes;
      const target = FEEDS[changes.feed];
      if (target === undefined) return;
      cursors[changes.feed] = changes.cursor;
      target.value = applied(target.value, changes);
    };
    socket.onclose = () => {
      if (over) return;
      failures += 1;
      if (failures === 1) link.value = 'connecting';
      timer = setTimeout(() => void retry(), RETRY_MS[Math.min(failures, RETRY_MS.length) - 1]);
    };
  };
  const retry = async (): Promise<void> => {
    if (failures > PATIENCE) await poll();
    if (session.value !== null) connect();
  };
  connect();
  return () => {
    over = true;
    clearTimeout(timer);
    socket?.close();
  };
}

/** Asks once for what the WebSocket would have said. */
async function poll(): Promise<void> {
  const limit = AbortSignal.timeout(POLL_MS * 3);
  try {
    const [listed, known] = await Promise.all([
      call<{ jobs?: Job[] }>('admin.ListJobs', { pageSize: 1000 }, limit),
      call<{ nodes?: ClusterNode[] }>('admin.ListNodes', {}, limit),
    ]);
    jobs.value = new Map((listed.jobs ?? []).map((job) => [job.id, job]));
    nodes.value = new Map((known.nodes ?? []).map((node) => [node.id, node]));
    link.value = 'polling';
  } catch {
    link.value = 'lost';
  }
}
