import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryArtifacts } from '../../src/artifacts/memory-artifacts.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { systemClock } from '../../src/clock/system.ts';
import type { CallRow } from '../../src/records/call-tables.ts';
import { startFakeProvider, type FakeProvider } from '../../src/model/testing/fake-provider.ts';
import { memoryBus } from '../../src/protocol/memory.ts';
import { ensureWriterDurables } from '../../src/protocol/writer-durables.ts';
import { systemRandom } from '../../src/random/seeded.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { scoredItem } from '../../src/store/incoming-rows.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { JobDirectory } from '../jobs/directory.ts';
import type { Role } from '../runtime/context.ts';
import { startGatewayRole } from './index.ts';

/** The key that the provider takes: it must be found nowhere. */
export const PROVIDER_KEY = 'sk-the-key-of-the-provider';

/** A gateway on an in-memory bus, in front of a scripted provider. */
export interface TestGateway {
  url: string;
  provider: FakeProvider;
  bus: Bus;
  bodies: MemoryArtifacts;
  role: Role;
  /** A request with the write token. */
  post(path: string, body: unknown): Promise<{ status: number; json: Record<string, unknown> }>;
  /** Key of a new session of recording `agent`. */
  key(task?: unknown): Promise<string>;
  /** A request with the key of a session. */
  call(key: string, body: unknown, init?: RequestInit): Promise<Response>;
  /** Table `calls` as it is when everything published is stored; by start. */
  calls(): Promise<CallRow[]>;
  /** Waits until all calls in the journal have ended. */
  ended(count: number): Promise<CallRow[]>;
  /** Table `trajectories`. */
  trajectories(): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/** Jobs that there are. */
const JOBS = ['support-1'];

/** Starts a gateway; `wrap` may put a bus of its own in front of it. */
export async function startTestGateway({ wrap = (bus: Bus): Bus => bus } = {}): Promise<TestGateway> {
  const provider = await startFakeProvider({ apiKey: PROVIDER_KEY });
  const folder = mkdtempSync(join(tmpdir(), 'millrace-gateway-'));
  const keyFile = join(folder, 'provider.key');
  writeFileSync(keyFile, `${PROVIDER_KEY}\n`);
  const bus = memoryBus({ clock: systemClock });
  await bus.ensureTopology();
  await ensureWriterDurables(bus);
  const bodies = new MemoryArtifacts(systemClock);
  const jobs = { find: (id: string) => Promise.resolve(JOBS.includes(id) ? {} : undefined) } as unknown as JobDirectory;
  const context = {
    ...{
      id: 'gateway',
      bus: wrap(bus),
      clock: systemClock,
      random: systemRandom(),
      log: silentLogger(),
      metrics: createMetrics(),
    },
    ...{ artifacts: bodies, callBodies: bodies, jobs },
  };
  const role = await startGatewayRole(context, {
    ...{ role: 'gateway', gatewayMetricsToken: 'token-of-monitoring', gatewayReadToken: 'token-of-those-who-look' },
    ...{ gatewayWriteToken: 'token-of-applications', gatewayAdminToken: 'token-of-administrators' },
    gatewayWorkToken: 'token-of-the-gateway',
    providers: { lab: { url: `${provider.url}/v1`, keyFile } },
  });
  const url = role.labels!['gateway']!;
  const send = (path: string, token: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
    fetch(`${url}${path}`, {
      ...{ method: 'POST', body: JSON.stringify(body), headers: { authorization: `Bearer ${token}` } },
      ...init,
    });
  const post: TestGateway['post'] = async (path, body) => {
    const response = await send(path, 'token-of-applications', body);
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const calls = (): Promise<CallRow[]> => callRows(bus);
  return {
    ...{ url, provider, bus, bodies, role, post, calls },
    key: async (task = { id: 't1' }) => String((await post('/v1/sessions', { recording: 'agent', task })).json['key']),
    call: (key, body, init) => send('/v1/chat/completions', key, body, init),
    async ended(count) {
      for (let tries = 0; tries < 500; tries += 1) {
        const rows = await calls();
        if (rows.length >= count && rows.every(({ status }) => status !== 'started')) return rows;
        await systemClock.sleep(50);
      }
      throw new Error(`the journal has no ${count} calls that ended: ${JSON.stringify(await calls())}`);
    },
    trajectories: () => trajectoryRows(bus),
    async close() {
      await role.stop(0);
      await provider.close();
      await bus.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** What the store would make of everything in stream CALLS. */
async function callRows(bus: Bus): Promise<CallRow[]> {
  const store = new MemoryStore();
  for await (const { data } of bus.read('CALLS', 'call.>')) await store.insert('calls', data, '');
  const rows = store.rows('calls') as unknown as CallRow[];
  return [...rows].sort((a, b) => (a.call_id < b.call_id ? -1 : 1));
}

async function trajectoryRows(bus: Bus): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const store = new MemoryStore();
  for await (const message of bus.read('SCORED', 'scored.>')) {
    const rows = scoredItem(message).blocks.trajectories;
    if (rows) await store.insert('trajectories', rows, '');
  }
  return store.rows('trajectories');
}
