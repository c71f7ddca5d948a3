import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectNats } from '../src/bus/nats-bus.ts';
import { silentLogger } from '../src/telemetry/log.ts';
import { startNatsServer, type NatsServerProcess } from './nats-server.ts';
import { startNode } from './node.ts';
import { watchNodes } from './nodes.ts';

let stateDir: string;
let nats: NatsServerProcess;
beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'millrace-node-'));
  nats = await startNatsServer({ storeDir: join(stateDir, 'nats') });
});
afterAll(async () => {
  await nats.stop();
  await rm(stateDir, { recursive: true, force: true });
});

it('tells the others where it is and where its metrics are, and is gone from the list when it has stopped', async () => {
  const node = await startNode({
    id: 'node-1',
    roles: ['parameter-server', 'reward'],
    natsUrl: nats.url,
    stateDir,
    log: silentLogger(),
  });
  const bus = await connectNats({ servers: nats.url, name: 'test' });
  const nodes = await watchNodes(bus);
  try {
    const [info] = nodes.list();
    expect(info).toMatchObject({ id: 'node-1', address: node.address, pid: process.pid });
    const text = await (await fetch(info!.labels['metrics']!)).text();
    expect(text).toContain(
      'millrace_mailbox_depth{actor="node-1/reward/worker",node="node-1",node_role="parameter-server+reward"} 0',
    );
    expect(text).toContain('millrace_learners{node="node-1",node_role="parameter-server+reward"} 0');
    expect(text).toMatch(/millrace_process_resident_memory_bytes\{.*\} \d{7,}/);
    await node.stop();
    await expect.poll(() => nodes.list()).toEqual([]);
    await expect(fetch(info!.labels['metrics']!)).rejects.toThrow();
  } finally {
    await node.stop();
    nodes.close();
    await bus.close();
  }
});
