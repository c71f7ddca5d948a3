import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectBus } from '../../src/protocol/connect.ts';
import { openJetStream, type JetStreamConnection } from '../../src/bus/nats/connection.ts';
import { MillraceError } from '../../src/errors.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { startNatsServer, type NatsServerProcess } from '../infra/nats-server.ts';
import { startNode, type StartOptions } from './node.ts';
import type { NodeSettings } from '../runtime/settings/node.ts';
import type { RoleSettings } from '../runtime/settings/roles.ts';
import { watchNodes } from '../runtime/nodes.ts';
import { needsPerson } from '../infra/topology-start.ts';

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

const PARAMETER_SERVER: RoleSettings = { role: 'parameter-server', workToken: 'the token of learners' };
const TOKENS = { token: 'the token of people', gatewayWorkToken: 'the token of gateways', storeToken: 'the token of stores' };
const COORDINATOR: RoleSettings = { role: 'coordinator', ...TOKENS };
const settings = (id: string, roles: RoleSettings[]): NodeSettings => {
  return { id, roles, natsUrl: nats.url, stateDir, logLevel: 'silent' };
};

describe('a stream with a setting that cannot be changed', () => {
  const make = async (): Promise<JetStreamConnection> => {
    const link = await openJetStream({ servers: nats.url, name: 'another program' });
    await link.jsm.streams.delete('ROLLOUTS').catch(() => {});
    await link.jsm.streams.add({ name: 'ROLLOUTS', subjects: ['rollout.>'], retention: 'limits', storage: 'file' });
    return link;
  };
  const start = (more: Partial<StartOptions>) =>
    startNode({ settings: settings('node-0', [COORDINATOR]), log: silentLogger(), ...more });
  const said = /stream ROLLOUTS exists .*its retention is "limits", not "workqueue"; `millrace doctor` shows what to do$/;

  it('ends a first start, for good, with its name, the setting, what is there and what was asked', async () => {
    const link = await make();
    const error = await start({}).then(
      () => undefined,
      (thrown: unknown) => MillraceError.from(thrown),
    );
    expect(error?.message).toMatch(said);
    expect(needsPerson(error!)).toBe(true);
    await link.jsm.streams.delete('ROLLOUTS');
    await link.nc.close();
  });

  it('is waited for by a node that was up before, which says so once and goes on when it is gone', async () => {
    const link = await make();
    const troubles: string[] = [];
    const started = start({ history: { afterCrash: false, wasUp: true }, onTrouble: (text) => troubles.push(text) });
    await expect.poll(() => troubles).toEqual([expect.stringMatching(said)]);
    await link.jsm.streams.delete('ROLLOUTS');
    const node = await started;
    expect(troubles).toEqual([troubles[0], expect.stringMatching(/going on/)]);
    expect((await link.jsm.streams.info('ROLLOUTS')).config.retention).toBe('workqueue');
    await node.stop();
    await link.nc.close();
  });
});

it('makes no streams, unless it has role coordinator or store: it waits for them', async () => {
  const link = await openJetStream({ servers: nats.url, name: 'another program' });
  await link.jsm.streams.delete('ROLLOUTS');
  const troubles: string[] = [];
  const node = startNode({
    settings: settings('node-2', [PARAMETER_SERVER]),
    log: silentLogger(),
    onTrouble: (text) => troubles.push(text),
  });
  await expect
    .poll(() => troubles)
    .toEqual(['waiting: no coordinator or store has made these streams and buckets yet: ROLLOUTS']);
  await link.jsm.streams.add({ name: 'ROLLOUTS', subjects: ['rollout.>'], retention: 'limits', storage: 'file' });
  await expect
    .poll(() => troubles[1])
    .toMatch(/^waiting: stream ROLLOUTS: its retention is "limits", not "workqueue".*; `millrace doctor` shows what to do$/);
  await link.jsm.streams.delete('ROLLOUTS');
  const bus = await connectBus({ servers: nats.url, name: 'coordinator' });
  await bus.ensureTopology();
  await (await node).stop();
  await bus.close();
  await link.nc.close();
});

it('is listed with its addresses until it has stopped', async () => {
  const node = await startNode({ settings: settings('node-1', [PARAMETER_SERVER, { role: 'reward' }]), log: silentLogger() });
  const bus = await connectBus({ servers: nats.url, name: 'test' });
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
