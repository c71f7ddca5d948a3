import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bus, BusMessage } from '../../../src/bus/bus.ts';
import { connectBus } from '../../../src/protocol/connect.ts';
import { openJetStream, type JetStreamConnection } from '../../../src/bus/nats/connection.ts';
import { MillraceError } from '../../../src/errors.ts';
import { systemClock } from '../../../src/clock/system.ts';
import { silentLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import type { NodeContext } from '../../runtime/context.ts';
import type { RoleName } from '../../../src/protocol/roles.ts';
import { announce, findNodes } from '../../runtime/nodes.ts';
import { keepTopology } from '../../coordinator/topology-keeper.ts';
import { openJobDirectory } from '../../jobs/directory.ts';
import { jobNotices } from '../../jobs/notices.ts';
import { startNatsServer, type NatsServerProcess } from '../nats-server.ts';
import { loginOf } from '../../node/connect.ts';
import { openNatsPasswords } from '../credentials.ts';
import { IDENTITIES, inboxPrefix, isWorker, WORKER_ROLES, WORKER_ACCESS, workerSubject, type Identity } from './access.ts';
import type { NatsPasswords } from './configuration.ts';
import { ROLLOUT_WORK, WORK_DURABLES } from '../../../src/protocol/durables.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-access-'));
let server: NatsServerProcess;
let passwords: NatsPasswords;
const open: { close(): Promise<unknown> }[] = [];
const refusals: string[] = [];
beforeAll(async () => {
  passwords = openNatsPasswords(folder);
  server = await startNatsServer({ storeDir: join(folder, 'nats'), passwords });
  admin = await busAs('admin');
  await admin.ensureTopology();
});
afterAll(async () => {
  await Promise.all(open.map((each) => each.close()));
  await server?.stop();
  rmSync(folder, { recursive: true });
});

let admin: Bus;
const as = (identity: Identity) => ({
  servers: server.url,
  name: identity,
  ...loginOf({ identity, password: passwords[identity] }),
  onRefused: ({ message }: MillraceError) => refusals.push(message),
  callTimeoutMs: 2000,
});

async function busAs(identity: Identity): Promise<Bus> {
  const bus = await connectBus({ ...as(identity), durables: WORK_DURABLES });
  open.push(bus);
  return bus;
}

async function linkAs(identity: Identity): Promise<JetStreamConnection> {
  const link = await openJetStream(as(identity));
  open.push({ close: () => link.nc.close() });
  return link;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string | undefined => data && new TextDecoder().decode(data);
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (thrown: unknown) => MillraceError.from(thrown).code,
  );

describe('who comes in', () => {
  it.each<[string, object]>([
    ['nobody', {}],
    ['with another password', { user: 'admin', password: 'guess' }],
    ['as somebody who is none', { user: 'root', password: 'guess' }],
  ])('not %s, and hears so at once', async (_, login) => {
    const started = performance.now();
    await expect(connectBus({ servers: server.url, name: 'x', ...login })).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringMatching(
        /^connecting to NATS at nats:\/\/127\.0\.0\.1:\d+: .*; check what it logs in with/,
      ) as string,
    });
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('with credentials in the address, which are in no message', async () => {
    const address = (password: string): string => server.url.replace('//', `//admin:${password}@`);
    const bus = await connectBus({ servers: address(passwords.admin), name: 'x' });
    await bus.close();
    await expect(connectBus({ servers: address('guess-guess'), name: 'x' })).rejects.toMatchObject({
      message: expect.not.stringContaining('guess') as string,
    });
  });
});

describe('a worker', () => {
  it('takes work, gives it back, publishes what came of it, and gives up what cannot be done', async () => {
    const rollout = await busAs('rollout');
    await rollout.ensureTopology();
    for (const id of ['good', 'again', 'bad']) await admin.publish('rollout.job', bytes(id), { id });
    const seen: string[] = [];
    const handle = async (message: BusMessage): Promise<void> => {
      expect(message.subject).toBe('rollout.job');
      const name = text(message.data)!;
      seen.push(`${name} ${message.deliveryCount}`);
      if (name === 'bad') return message.term('unreadable');
      if (name === 'again' && message.deliveryCount === 1) return message.nak();
      await rollout.publish('group.job', message.data, { id: name });
      await message.ack();
    };
    const consumer = await rollout.consume(ROLLOUT_WORK, handle);
    await expect.poll(async () => (await admin.streamState('ROLLOUTS')).messages).toBe(0);
    expect(seen.sort()).toEqual(['again 1', 'again 2', 'bad 1', 'good 1']);
    expect((await admin.streamState('GROUPS')).messages).toBe(2);
    expect(text((await admin.last('DLQ', 'dlq.ROLLOUTS'))?.data)).toBe('bad');
    await consumer.stop();
  });

  it('waits for its durable, which somebody else makes', async () => {
    const reward = await busAs('reward');
    await admin.deleteDurable('GROUPS', 'reward');
    const seen: string[] = [];
    const started = reward.consume({ ...WORK_DURABLES[1]! }, async (message) => {
      seen.push(text(message.data)!);
      await message.ack();
    });
    await admin.ensureTopology();
    const consumer = await started;
    await expect.poll(() => seen.sort()).toEqual(['again', 'good']);
    await consumer.stop();
  });

  it('goes on when its durable is deleted while it waits for work: the coordinator makes it again', async () => {
    const bus = await busAs('coordinator');
    const log = silentLogger();
    const notices = jobNotices({ bus, clock: systemClock, node: 'coordinator', log });
    const jobs = await openJobDirectory(bus);
    const metrics = createMetrics({ node: 'coordinator', role: 'coordinator' });
    const stop = keepTopology({ bus, clock: systemClock, jobs, log, metrics, notices } as unknown as NodeContext, () => []);
    const seen: string[] = [];
    const consumers = [];
    for (const durable of WORK_DURABLES) {
      const worker = await busAs(durable.durable as Identity);
      consumers.push(
        await worker.consume(durable, async (message) => {
          seen.push(text(message.data)!);
          await message.ack();
        }),
      );
    }
    await admin.publish('rollout.job', bytes('rollout before'), { id: 'rollout before' });
    await admin.publish('group.job', bytes('group before'), { id: 'group before' });
    await expect.poll(() => seen.sort(), { timeout: 5_000 }).toEqual(['group before', 'rollout before']);
    const { jsm } = await linkAs('admin');
    for (const { stream, durable } of WORK_DURABLES) expect(await jsm.consumers.delete(stream, durable)).toBe(true);
    await admin.publish('rollout.job', bytes('rollout after'), { id: 'rollout after' });
    await admin.publish('group.job', bytes('group after'), { id: 'group after' });
    const all = ['group after', 'group before', 'rollout after', 'rollout before'];
    await expect.poll(() => seen.sort(), { timeout: 15_000 }).toEqual(all);
    for (const { stream } of WORK_DURABLES) await expect.poll(async () => (await admin.streamState(stream)).messages).toBe(0);
    for (const consumer of consumers) await consumer.stop();
    stop();
    jobs.close();
  }, 30_000);

  it('follows the jobs and policies, and tells of itself', async () => {
    const rollout = await busAs('rollout');
    const heard: string[] = [];
    await admin.kv('jobs').put('before', bytes('1'));
    const stop = await rollout.kv('jobs').watch('>', ({ key, value }) => heard.push(`${key}=${text(value) ?? 'gone'}`));
    expect(heard).toEqual(['before=1']);
    await admin.kv('jobs').put('after', bytes('2'));
    await expect.poll(() => heard).toEqual(['before=1', 'after=2']);
    const revision = (await admin.kv('jobs').get('after'))!.revision;
    await expect(admin.kv('jobs').create('after', bytes('no'))).rejects.toThrow();
    await admin.kv('jobs').update('after', bytes('3'), revision);
    // Changes of one key come in order; those of two keys are looked up beside each other.
    await expect.poll(() => heard).toEqual(['before=1', 'after=2', 'after=3']);
    await admin.kv('jobs').delete('before');
    await expect.poll(() => heard).toEqual(['before=1', 'after=2', 'after=3', 'before=gone']);
    stop();
    await rollout.kv('nodes').put('rollout.rollout-1', bytes('me'));
    expect(text((await admin.kv('nodes').get('rollout.rollout-1'))?.value)).toBe('me');
    await rollout.kv('nodes').delete('rollout.rollout-1');
  });

  it('ends with the newest of many writes', async () => {
    const rollout = await busAs('rollout');
    const heard: string[] = [];
    const stop = await rollout.kv('policies').watch('many', ({ value }) => heard.push(text(value)!));
    for (let i = 1; i <= 40; i++) await admin.kv('policies').put('many', bytes(`${i}`));
    await expect.poll(() => heard.at(-1)).toBe('40');
    expect(heard.map(Number)).toEqual([...heard].map(Number).sort((a, b) => a - b));
    expect(heard.length).toBeLessThan(40);
    stop();
  });

  it('finds the parameter servers, alone or beside other roles, and no node that has gone', async () => {
    const [learner, parameters] = [await busAs('learner'), await busAs('parameter-server')];
    const figures = { rssBytes: 1, peakRssBytes: 1, cpuSeconds: 1, eventLoopDelayMs: 1 };
    const node = { pid: 1, startedAt: 1, heartbeatAt: 1, ...figures, labels: {}, actors: [] };
    const describe = (id: string, roles: RoleName[]) => () => ({ ...node, id, roles, address: `${id}:1` });
    const found = async () => (await findNodes(learner, 'parameter-server')).map(({ address }) => address);
    expect(await found()).toEqual([]);
    const leave = await announce(parameters, systemClock, describe('b', ['parameter-server']));
    const leaveOther = await announce(admin, systemClock, describe('c', ['parameter-server', 'store']));
    expect(await found()).toEqual(['b:1', 'c:1']);
    await leave();
    expect(await found()).toEqual(['c:1']);
    await leaveOther();
    expect(await found()).toEqual([]);
  });

  it('reports notices, holds work that waits for a service, and says so to who listens', async () => {
    const coordinator = await busAs('coordinator');
    for (const worker of ['rollout', 'reward'] as const) {
      const bus = await busAs(worker);
      const heard: (string | undefined)[] = [];
      const stop = coordinator.listen(`retry.${worker}`, (data) => void heard.push(text(data)));
      await expect.poll(() => (bus.emit(`retry.${worker}`, bytes('waiting')), heard[0])).toBe('waiting');
      stop();
      await bus.publish(`held.${worker}`, bytes('work'), { id: worker });
      const { revision } = (await bus.kv('notices').get(`job.${worker}`)) ?? { revision: 0 };
      expect(revision).toBe(0);
      await bus.kv('notices').create(`job.${worker}`, bytes('slow'));
      await bus.publish(`event.job.notice`, bytes('slow'), { id: worker });
    }
    expect((await admin.streamState('HELD')).messages).toBe(2);
    expect(await admin.kv('notices').keys()).toEqual(['job.reward', 'job.rollout']);
  });

  it('reads weights', async () => {
    const rollout = await busAs('rollout');
    for (const n of [1, 2, 3]) await admin.publish(`weights.job.1.w.${n}`, bytes(String(n)), { id: `w${n}` });
    expect(text((await rollout.last('WEIGHTS', 'weights.job.1.w.2'))?.data)).toBe('2');
    const read: string[] = [];
    for await (const { data } of rollout.read('WEIGHTS', 'weights.job.1.w.*')) read.push(text(data)!);
    expect(read).toEqual(['1', '2', '3']);
  });
});

describe('what is refused', () => {
  const writes: Record<string, (bus: Bus) => Promise<unknown>> = {
    'a job record': (bus) => bus.kv('jobs').put('evil', bytes('{}')),
    'a manifest': (bus) => bus.kv('policies').put('evil', bytes('{}')),
    weights: (bus) => bus.publish('weights.evil.1.w.0', bytes('{}'), { id: 'evil' }),
    'a lease': (bus) => bus.kv('leases').put('job.evil', bytes('{}')),
    'a request': (bus) => bus.publish('rollout.evil', bytes('{}'), { id: 'evil' }),
    'the record of a node of another role': (bus) => bus.kv('nodes').put('parameter-server.evil', bytes('{}')),
    'rows of updates': (bus) => bus.publish('event.evil.update', bytes('{}'), { id: 'evil' }),
    'purging a stream': (bus) => bus.purge('ROLLOUTS', 'rollout.>'),
    'deleting a message': (bus) => bus.deleteMessage('WEIGHTS', 1),
    "another's durable": (bus) => bus.deleteDurable('SCORED', 'writer'),
  };
  it.each(WORKER_ROLES.flatMap((worker) => Object.keys(writes).map((what): [Identity, string] => [worker, what])))(
    'to %s: %s, with an error that says so',
    async (worker, what) => {
      const bus = await busAs(worker);
      refusals.length = 0;
      expect(await codeOf(writes[what]!(bus))).toBe('permission_denied');
      expect(refusals[0]).toMatch(/^NATS does not let this user publish on /);
      expect(await admin.kv('jobs').get('evil')).toBeUndefined();
      expect(await admin.kv('nodes').get('parameter-server.evil')).toBeUndefined();
    },
  );

  it('to each of them: scores, groups and work of the other', async () => {
    const [rollout, reward, learner] = [await busAs('rollout'), await busAs('reward'), await busAs('learner')];
    const scored = (bus: Bus): Promise<string> => codeOf(bus.publish('scored.j.train', bytes('x'), { id: 'x' }));
    const group = (bus: Bus): Promise<string> => codeOf(bus.publish('group.j', bytes('x'), { id: 'x' }));
    expect([await scored(rollout), await scored(learner)]).toEqual(['permission_denied', 'permission_denied']);
    expect([await group(reward), await group(learner)]).toEqual(['permission_denied', 'permission_denied']);
  });

  it.each(WORKER_ROLES)('to %s: an answer of the server as a record of the others', async (worker) => {
    const { nc } = await linkAs(worker);
    await admin.kv('jobs').put('kept', bytes('kept'));
    const [before, weights] = [await admin.streamState('DLQ'), await admin.streamState('WEIGHTS')];
    for (const [index, asked] of WORKER_ACCESS[worker].publish.entries()) {
      const subject = workerSubject(asked).replaceAll('*', 'x').replace(/>$/, 'x.y');
      if (subject.startsWith('$JS.ACK')) continue;
      const jobs = subject.includes('KV_jobs') ? { last_by_subj: '$KV.jobs.kept' } : {};
      for (const reply of [`$KV.jobs.evil${index}`, '$KV.jobs.kept', `weights.evil.1.w.${index}`, '$KV.leases.job.kept'])
        nc.publish(subject, JSON.stringify({ batch: 1, ...jobs }), { reply });
    }
    await nc.flush();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await admin.kv('jobs').keys('>')).filter((key) => key.startsWith('evil'))).toEqual([]);
    expect(text((await admin.kv('jobs').get('kept'))?.value)).toBe('kept');
    expect(await admin.kv('leases').get('job.kept')).toBeUndefined();
    expect((await admin.streamState('WEIGHTS')).lastSequence).toBe(weights.lastSequence);
    expect((await admin.streamState('DLQ')).messages).toBeGreaterThanOrEqual(before.messages);
  });

  it('to everybody but admin: the inboxes of others', async () => {
    for (const identity of IDENTITIES.filter((name) => name !== 'admin')) {
      const { nc } = await linkAs(identity);
      const refused: unknown[] = [];
      for (const other of [
        '_INBOX.>',
        '>',
        ...IDENTITIES.filter((name) => name !== identity).map((name) => `${inboxPrefix(name)}.>`),
      ])
        nc.subscribe(other, { callback: (error) => void (error && refused.push(other)) });
      await nc.flush();
      await expect.poll(() => refused.length, { interval: 20 }).toBe(IDENTITIES.length + 1);
    }
  });

  it('to everybody but admin and coordinator: tokens for joining, to write and to read', async () => {
    const coordinator = await busAs('coordinator');
    const { revision } = (await coordinator.kv('joins').create('kept', bytes('kept')), (await admin.kv('joins').get('kept'))!);
    for (const identity of IDENTITIES.filter((name) => !['admin', 'coordinator', 'supervisor'].includes(name))) {
      const kv = (await busAs(identity)).kv('joins');
      expect([identity, await codeOf(kv.put('evil', bytes('{}')))]).toEqual([identity, 'permission_denied']);
      expect([identity, await codeOf(kv.get('kept'))]).toEqual([identity, 'permission_denied']);
    }
    await coordinator.kv('joins').delete('kept', revision);
    expect(await admin.kv('joins').keys()).toEqual([]);
  });

  it('to those that may write jobs: to destroy a stream, and what is none of theirs', async () => {
    const store = await busAs('store');
    expect(await codeOf(store.kv('jobs').put('evil', bytes('{}')))).toBe('permission_denied');
    const parameters = await busAs('parameter-server');
    expect(await codeOf(parameters.publish('rollout.j', bytes('x'), { id: 'x' }))).toBe('permission_denied');
    for (const identity of IDENTITIES.filter((name) => !isWorker(name) && name !== 'admin' && name !== 'supervisor')) {
      const { jsm } = await linkAs(identity);
      await expect(jsm.streams.delete('DLQ')).rejects.toThrow(/Permissions Violation/);
    }
  });
});
