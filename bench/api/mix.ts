import { Agent, request } from 'node:http';
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCluster } from '../../test/support/cluster.ts';
import type { MillraceClient } from '../../src/client/index.ts';
import type { CallKind } from './calls.ts';

/** What the calls are about. */
export interface MixOptions {
  client: MillraceClient;
  cluster: Pick<TestCluster, 'gatewayUrl' | 'stateDir'>;
  /** Jobs on record; those that are created meanwhile are not asked about. */
  ids: readonly string[];
  /** Creates one more job, of the bundle that is there. */
  create: () => Promise<unknown>;
}

/** Jobs that are watched one by one while calls are made. */
const WATCHED = 20;

/** The mix of a service that others build on: mostly reading, some lists, few creates. `empty` is a unary call that does nothing. */
export function callKinds({ client, cluster, ids, create }: MixOptions): CallKind[] {
  let next = 0;
  // A prime number of steps: other jobs each time, in no order.
  const some = (): string => ids[(next = (next + 7_919) % ids.length)]!;
  const status = statusCaller(cluster);
  return [
    { name: 'empty', share: 25, call: () => client.admin.findMissingArtifacts({ digests: [] }) },
    { name: 'GetJob', share: 30, call: () => client.jobs.get(some()) },
    { name: 'training.get_status', share: 30, call: () => status(some()) },
    { name: 'ListJobs', share: 10, call: () => client.jobs.page({ pageSize: 50, filter: 'state=RUNNING OR state=QUEUED' }) },
    { name: 'CreateJob', share: 5, call: create },
  ];
}

/** Watches of all jobs and of some; counts what they send. */
export function openWatches(client: MillraceClient, ids: readonly string[]): { changes: () => number; close: () => void } {
  const leaving = new AbortController();
  const { signal } = leaving;
  setMaxListeners(0, signal);
  let changes = 0;
  const follow = async (items: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of items) changes += 1;
  };
  const watches = [
    client.jobs.watchAll({ fields: ['progress'], signal }),
    ...ids.slice(0, WATCHED).map((id) => client.jobs.watch(id, { fields: ['progress'], signal })),
  ];
  // They end when this client leaves.
  for (const watch of watches) follow(watch).catch(() => undefined);
  return { changes: () => changes, close: () => leaving.abort() };
}

function statusCaller({ gatewayUrl, stateDir }: MixOptions['cluster']): (id: string) => Promise<void> {
  const token = readFileSync(join(stateDir, 'credentials', 'gateway-read.token'), 'utf8').trim();
  const agent = new Agent({ keepAlive: true });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return (id) =>
    new Promise((resolve, reject) => {
      const call = request(`${gatewayUrl}/rpc`, { method: 'POST', agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.once('end', () => {
          const { result } = JSON.parse(text) as { result?: { job_id: string } };
          if (result?.job_id === id) resolve();
          else reject(new Error(`training.get_status: ${text}`));
        });
        response.once('error', reject);
      });
      call.once('error', reject);
      call.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'training.get_status', params: { job_id: id } }));
    });
}
