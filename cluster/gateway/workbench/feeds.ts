import { setTimeout as sleep } from 'node:timers/promises';
import { toJson } from '@bufbuild/protobuf';
import { JobSchema, NodeSchema } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { Coordinator } from '../json-rpc/coordinator.ts';
import { Feed } from './feed.ts';
import type { Feeds } from './live.ts';

/** Fields of Job that are followed: all but its settings, which never change. */
const JOB_FIELDS = JobSchema.fields.map(({ name }) => name).filter((name) => name !== 'config_json');
const NODES_MS = 2_000;
const RETRY_MS = 1_000;

/**
 * What pages follow: `jobs`, every job in its newest state, and `nodes`. However many pages are open, the coordinator is asked once; when
 * none is, not at all.
 */
export function clusterFeeds(coordinator: Coordinator): Feeds {
  return {
    jobs: shared((feed, signal) => followJobs(coordinator, feed, signal)),
    nodes: shared((feed, signal) => followNodes(coordinator, feed, signal)),
  };
}

/** A feed that is filled while somebody has it open. */
function shared(fill: (feed: Feed, signal: AbortSignal) => Promise<void>): Feeds[string] {
  let open: { feed: Feed; over: AbortController; readers: number } | undefined;
  return {
    open() {
      if (open === undefined) {
        open = { feed: new Feed(), over: new AbortController(), readers: 0 };
        void fill(open.feed, open.over.signal);
      }
      const mine = open;
      mine.readers += 1;
      return {
        feed: mine.feed,
        release() {
          mine.readers -= 1;
          if (mine.readers > 0) return;
          mine.over.abort();
          open = undefined;
        },
      };
    },
  };
}

/** A watch that broke goes on at whichever coordinator is alive, from what it said last. */
async function followJobs(coordinator: Coordinator, feed: Feed, signal: AbortSignal): Promise<void> {
  let resumeToken = '';
  await again(signal, RETRY_MS, async () =>
    coordinator.call(async (admin) => {
      for await (const answer of admin.watchJobs({ readMask: { paths: JOB_FIELDS }, resumeToken }, { signal })) {
        resumeToken = answer.resumeToken;
        if (answer.job === undefined) continue;
        if (answer.left) feed.delete(answer.job.id);
        else feed.set(answer.job.id, toJson(JobSchema, answer.job));
      }
    }),
  );
}

async function followNodes(coordinator: Coordinator, feed: Feed, signal: AbortSignal): Promise<void> {
  const known = new Map<string, string>();
  await again(signal, NODES_MS, async () => {
    const { nodes } = await coordinator.call((admin) => admin.listNodes({}, { signal }));
    for (const node of nodes) {
      const value = toJson(NodeSchema, node);
      const text = JSON.stringify(value);
      if (known.get(node.id) === text) continue;
      known.set(node.id, text);
      feed.set(node.id, value);
    }
    for (const id of feed.keys()) {
      if (nodes.some((node) => node.id === id)) continue;
      known.delete(id);
      feed.delete(id);
    }
  });
}

/** Does something again and again until the signal aborts. What fails is tried again: a page sees the state that was known last. */
async function again(signal: AbortSignal, pauseMs: number, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work().catch(() => undefined);
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
