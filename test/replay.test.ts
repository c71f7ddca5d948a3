import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNatsServer, type NatsServerProcess } from '../cluster/infra/nats-server.ts';
import type { Bus } from '../src/bus/bus.ts';
import { systemClock } from '../src/clock/system.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { seededRandom } from '../src/random/seeded.ts';
import { CONFORMANCE_TOPOLOGY } from '../src/conformance/bus.ts';
import { connectBus } from '../src/protocol/connect.ts';
import { topology, type TopologyOptions } from '../src/protocol/topology.ts';
import { randomOperations } from './support/random-operations.ts';
import { runOnBus } from './support/real-nodes.ts';
import { BusRecording, parseRecording, recordBus, type RecordedEntry } from './support/recorded-bus.ts';
import { replay } from './support/replay.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServerProcess;
beforeAll(async () => {
  folder = await temporaryFolder();
  server = await startNatsServer({ storeDir: join(folder.path, 'nats') });
});
afterAll(async () => {
  await server?.stop();
  await folder.remove();
});

/** A server without streams. */
async function restartEmpty(): Promise<void> {
  await server.stop();
  const storeDir = join(folder.path, 'nats');
  await rm(storeDir, { recursive: true });
  server = await startNatsServer({ storeDir });
}

/** Recorded connections to the real server. */
function recorder(options: TopologyOptions = {}): { recording: BusRecording; connect: (node: string) => Promise<Bus> } {
  const recording = new BusRecording(systemClock);
  const connect = async (node: string): Promise<Bus> =>
    recordBus(await connectBus({ servers: server.url, name: node, ...options }), node, recording);
  return { recording, connect };
}

/** As they are read back from a file. */
async function written(recording: BusRecording): Promise<RecordedEntry[]> {
  const file = join(folder.path, 'recording.jsonl');
  await writeFile(file, recording.lines());
  return parseRecording(await readFile(file, 'utf8'));
}

describe('what a real nats-server did, done again on the in-memory one', () => {
  it('is the same in a run of a whole cluster', async () => {
    const { recording, connect } = recorder();
    const file = fileURLToPath(new URL('flows/bandit/job.yaml', import.meta.url));
    const { config } = loadJobConfig(file, { overrides: ['rounds=4'] });
    const job = await runOnBus(config, {
      stateDir: folder.path,
      async connect(node) {
        const bus = await connect(node);
        await bus.ensureTopology();
        return bus;
      },
    });
    expect([job.state, job.error]).toEqual([JobState.SUCCEEDED, '']);
    const entries = await written(recording);
    const count = (op: string): number => entries.filter((entry) => entry.op === op).length;
    expect(count('publish')).toBeGreaterThan(50);
    expect(count('ack')).toBeGreaterThan(30);
    expect(count('kv.update')).toBeGreaterThan(5);
    expect(await replay(entries, topology())).toEqual([]);
  });

  it.each([1, 2, 3])('is the same when operations of every kind meet at random (seed %i)', async (seed) => {
    await restartEmpty();
    const { recording, connect } = recorder(CONFORMANCE_TOPOLOGY);
    const buses = [await connect('a'), await connect('b')];
    await buses[0]!.ensureTopology();
    await randomOperations({ buses, random: seededRandom(seed), clock: systemClock, operations: 300 });
    await Promise.all(buses.map((bus) => bus.close()));
    const entries = await written(recording);
    expect(await replay(entries, topology(CONFORMANCE_TOPOLOGY))).toEqual([]);
  });

  it('is noticed where it is not the same', async () => {
    await restartEmpty();
    const { recording, connect } = recorder();
    const bus = await connect('a');
    await bus.ensureTopology();
    const revision = await bus.kv('jobs').create('a', Uint8Array.of(1));
    await bus.kv('jobs').update('a', Uint8Array.of(2), revision);
    const consumer = await bus.consume({ stream: 'GROUPS', durable: 'reward', filter: 'group.>' }, (message) => message.ack());
    for (const id of ['1', '2']) await bus.publish('group.a', Uint8Array.of(1), { id });
    await expect.poll(async () => (await bus.streamState('GROUPS')).messages).toBe(0);
    await consumer.stop();
    await bus.close();
    const entries = await written(recording);
    expect(await replay(entries, topology())).toEqual([]);
    const changed = (op: string, change: (entry: RecordedEntry) => RecordedEntry[]): Promise<string[]> => {
      const at = entries.findIndex((entry) => entry.op === op);
      return replay([...entries.slice(0, at), ...change(entries[at]!), ...entries.slice(at + 1)], topology());
    };
    expect(await changed('publish', (entry) => [{ ...entry, result: { sequence: 1, duplicate: true } }])).toEqual([
      expect.stringMatching(/a publish \["group\.a".*"duplicate":true\} on the server, .*"duplicate":false\} on the twin$/),
    ]);
    expect(await changed('kv.update', ({ result: _, ...entry }) => [{ ...entry, error: 'aborted' }])).toHaveLength(1);
    expect(await changed('delivered', () => [])).toEqual(['delivered by the twin alone: GROUPS/reward 1 1']);
    expect(await changed('publish', () => [])).not.toEqual([]);
  });
});
