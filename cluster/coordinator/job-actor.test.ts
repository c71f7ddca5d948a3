import { fromBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import type { Bus, PublishOptions } from '../../src/bus/bus.ts';
import { MessageTooLarge } from '../../src/bus/message-size.ts';
import type { SchedulerConfig } from '../../src/config/scheduler.ts';
import type { TopologyOptions } from '../../src/protocol/topology.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { RolloutRequestSchema } from '../../src/gen/millrace/v1/training_pb.ts';
import { RetryLater } from '../../src/flow/retry-later.ts';
import { createJobRecord, transition, type JobRecord } from '../../src/jobs/record.ts';
import { loadTasks } from '../../src/tasks/load.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { startCoordinator } from './index.ts';
import { watchNodes } from '../runtime/nodes.ts';
import { startParameterServer } from '../parameter-server/index.ts';
import { CoordinatorBackend } from './admin-backend.ts';

const ID = 'thermostat';
const quick = ['rounds=3', 'evaluation.every=0', 'evaluation.baselines=false', 'rollout.groupsPerRound=4'];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
const roles: { role: Role; nodes: MemoryNodes }[] = [];
afterEach(async () => {
  for (const { role, nodes } of roles.splice(0).reverse()) await nodes.clock.run(role.stop());
  await folder.remove();
});

/** What `publish` of a request does instead. */
type OnRequest = (publish: () => ReturnType<Bus['publish']>) => ReturnType<Bus['publish']>;

interface ClusterOptions {
  onRequest?: OnRequest;
  topology?: TopologyOptions;
  overrides?: readonly string[];
  /** Changes the coordinator's or the parameter server's node. */
  change?: (context: NodeContext) => NodeContext;
  /** Changes the job's record before anything is started. */
  begin?: (record: JobRecord) => JobRecord;
  scheduler?: SchedulerConfig;
}

/** A job with a coordinator and a parameter server, on virtual time. */
async function cluster({
  onRequest = (publish) => publish(),
  topology,
  overrides = [],
  change = (node) => node,
  begin = (record) => record,
  scheduler,
}: ClusterOptions) {
  const nodes = new MemoryNodes(folder.path, topology);
  const { clock } = nodes;
  const watched = (bus: Bus): Bus =>
    Object.assign(Object.create(bus) as Bus, {
      publish: (subject: string, data: Uint8Array, options: PublishOptions) =>
        subject.startsWith('rollout.')
          ? onRequest(() => bus.publish(subject, data, options))
          : bus.publish(subject, data, options),
    });
  const coordinator = change(await clock.run(nodes.node('coordinator', watched)));
  const server = change(await clock.run(nodes.node('parameter-server')));
  const admin = new CoordinatorBackend(coordinator, await clock.run(watchNodes(coordinator.bus)), {
    query: () => Promise.reject(new Error('no store')),
  });
  const config = thermostatJob([...quick, ...overrides]);
  await clock.run(coordinator.jobs.create(begin(createJobRecord({ id: ID, config, now: 0 }))));
  for (const role of [startCoordinator(coordinator, { scheduler }), startParameterServer(server)])
    roles.push({ nodes, role: await clock.run(role) });
  const record = (): JobRecord => coordinator.jobs.get(ID)!.record;
  const settled = (): boolean => record().unsettled.length === 0;
  const view = (): Promise<Job> => clock.run(admin.getJob(ID));
  const actors = (): string[] => [...coordinator.actors.list(), ...server.actors.list()].map(({ address }) => address);
  const wait = (ms: number): Promise<void> => clock.run(clock.sleep(ms));
  return { nodes, clock, coordinator, server, admin, record, settled, view, actors, wait };
}

/** Sequences of the requests in the queue. */
async function queued({ coordinator, clock }: Awaited<ReturnType<typeof cluster>>): Promise<number[]> {
  const found: number[] = [];
  const read = async (): Promise<void> => {
    for await (const { data } of coordinator.bus.read('ROLLOUTS', 'rollout.>'))
      found.push(Number(fromBinary(RolloutRequestSchema, data).sequence));
  };
  await clock.run(read());
  return found.sort((a, b) => a - b);
}

it('a job that is resumed while its actor starts goes on', async () => {
  const resumed = (record: JobRecord): JobRecord => transition(record, 'QUEUED', { now: 2 });
  const job = await cluster({
    begin: (record) => transition(transition(record, 'RUNNING', { now: 0 }), 'PAUSED', { now: 1 }),
    // The last await of the start before the actor subscribes to changes.
    change: (node) => {
      const watch: NodeContext['weights']['watch'] = async (...args) => {
        const stop = await node.weights.watch(...args);
        if (node.id === 'coordinator' && node.jobs.get(ID)?.record.state === 'PAUSED') await node.jobs.update(ID, resumed);
        return stop;
      };
      return { ...node, weights: Object.assign(Object.create(node.weights) as NodeContext['weights'], { watch }) };
    },
  });
  await job.nodes.until(async () => (await queued(job)).length > 0, 10);
  expect(job.record()).toMatchObject({ state: 'RUNNING', accepted: 8 });
});

it('a job sends nothing before its record says which streams its requests are sent into', async () => {
  let hidden = true;
  const job = await cluster({
    change: (node) => {
      if (node.id !== 'coordinator') return node;
      // As while a stream that was deleted has not been made again.
      const inspectTopology = async (): ReturnType<Bus['inspectTopology']> =>
        (await node.bus.inspectTopology()).map((part) =>
          hidden && part.name === 'HELD' ? { ...part, created: undefined } : part,
        );
      return { ...node, bus: Object.assign(Object.create(node.bus) as Bus, { inspectTopology }) };
    },
  });
  await job.nodes.until(() => job.record().state === 'RUNNING', 10);
  await job.wait(5_000);
  expect(await queued(job)).toEqual([]);
  expect(job.record()).toMatchObject({ accepted: 0 });
  hidden = false;
  await job.nodes.until(async () => (await queued(job)).length > 0, 10);
  expect(job.record().streams).toHaveProperty('SCORED');
});

it('a job that waits for a place again for a while is in no memory, and goes on when it has one', async () => {
  const job = await cluster({ scheduler: { maxRunning: 1, minRunSeconds: 1, owners: {} } });
  const { jobs } = job.coordinator;
  await job.nodes.until(() => job.record().state === 'RUNNING', 10);
  const { config } = job.record();
  await job.clock.run(jobs.create(createJobRecord({ id: 'urgent', config, priority: 1, now: job.clock.now() })));
  await job.nodes.until(() => job.record().state === 'QUEUED', 10);
  await job.wait(90_000);
  expect(job.actors().filter((address) => address.endsWith(`/${ID}`))).toEqual([]);
  await job.clock.run(job.admin.cancelJob('urgent'));
  await job.nodes.until(() => job.record().state === 'RUNNING', 10);
});

it('a job that is paused for a while is in no memory, and goes on from its record when it is resumed', async () => {
  const job = await cluster({});
  await job.nodes.until(async () => (await queued(job)).length > 0, 10);
  const ofJob = (): string[] => job.actors().filter((address) => address.endsWith(`/${ID}`));
  expect(ofJob()).toHaveLength(2);
  await job.clock.run(job.admin.pauseJob(ID));
  await job.wait(30_000);
  expect(ofJob()).toHaveLength(2);
  await job.wait(40_000);
  expect(ofJob()).toEqual([]);
  await job.wait(60_000);
  expect(ofJob()).toEqual([]);
  await job.clock.run(job.admin.resumeJob(ID));
  await job.nodes.until(() => Promise.resolve(job.record().state === 'RUNNING' && ofJob().length === 2), 10);
  await job.clock.run(job.admin.pauseJob(ID));
  await job.wait(70_000);
  await job.clock.run(job.admin.cancelJob(ID));
  await job.nodes.until(() => Promise.resolve(job.settled()), 10);
  expect(ofJob()).toEqual([]);
});

describe('an error that does not go away', () => {
  it('ends the job with its message when it is permanent, after one try', async () => {
    let tries = 0;
    const job = await cluster({
      onRequest: () => {
        tries += 1;
        return Promise.reject(new MessageTooLarge('the message on rollout.thermostat', 9_437_184, 8_372_224));
      },
    });
    await job.nodes.until(() => job.record().state === 'FAILED', 5);
    expect(job.record().error).toMatch(/9,437,184 bytes, and a message is at most 8,372,224: .*\(job actor on node coordinator/);
    await job.nodes.until(job.settled, 5);
    // One batch of requests.
    expect(tries).toBeLessThanOrEqual(8);
    expect(job.coordinator.actors.list()).toMatchObject([{ state: 'failed', restarts: 0 }]);
  });

  it('ends the job in the end when it is a defect, and is shown with its count until then', async () => {
    const job = await cluster({ onRequest: () => Promise.reject(new TypeError('x is undefined')) });
    await job.wait(3_000);
    expect(job.record().state).toBe('RUNNING');
    const { notices } = await job.view();
    expect(notices).toMatchObject([
      { code: 'ACTOR_RESTARTED', subject: 'job actor', message: 'on node coordinator: x is undefined' },
    ]);
    expect(Number(notices[0]!.count)).toBeGreaterThan(2);
    await job.nodes.until(() => job.record().state === 'FAILED', 120);
    expect(job.record().error).toMatch(/^x is undefined \(job actor/);
  });

  it('restarts the actor for as long as it may go away, and is over when it is', async () => {
    let away = true;
    const job = await cluster({
      onRequest: (publish) => (away ? Promise.reject(new MillraceError('unavailable', 'NATS is away')) : publish()),
    });
    await job.wait(300_000);
    expect(job.record().state).toBe('RUNNING');
    const [notice] = (await job.view()).notices;
    expect(notice).toMatchObject({ code: 'ACTOR_RESTARTED', message: 'on node coordinator: NATS is away' });
    expect(Number(notice!.count)).toBeGreaterThan(20);
    away = false;
    await job.nodes.until(async () => (await queued(job)).length > 0, 30);
    await job.wait(61_000);
    expect((await job.view()).notices[0]?.resolveTime).toBeDefined();
  });

  it('ends the job when a parameter server cannot begin its work for good', async () => {
    const job = await cluster({
      change: (node) => ({
        ...node,
        runtimes: {
          ...node.runtimes,
          get: (...of) =>
            node.id === 'coordinator'
              ? node.runtimes.get(...of)
              : Promise.reject(new MillraceError('invalid_argument', 'flow.ts cannot be imported')),
        },
      }),
    });
    await job.nodes.until(() => job.record().state === 'FAILED', 10);
    expect(job.record().error).toMatch(/flow.ts cannot be imported \(trainer actor on node parameter-server/);
  });
});

describe('cancel', () => {
  const ended = async (job: Awaited<ReturnType<typeof cluster>>): Promise<void> => {
    await job.clock.run(job.admin.cancelJob(ID));
    expect(job.record().state).toBe('CANCELLED');
    await job.nodes.until(job.settled, 30);
    await job.wait(6_000);
    expect(job.actors()).toEqual([]);
    expect(await queued(job)).toEqual([]);
    for (const durable of [`trainer-${ID}`, `evaluations-${ID}`])
      expect(await job.clock.run(job.coordinator.bus.durableState('SCORED', durable))).toBeUndefined();
  };

  it('is heard between two lives of an actor', async () => {
    const job = await cluster({ onRequest: () => Promise.reject(new MillraceError('unavailable', 'NATS is away')) });
    await job.nodes.until(() => job.coordinator.actors.list()[0]?.waitingFor.startsWith('restart in 10000') === true, 60);
    await ended(job);
  });

  it('is heard while the queue is full', async () => {
    const job = await cluster({ topology: { maxMessages: { ROLLOUTS: 2 } } });
    await job.nodes.until(async () => (await queued(job)).length === 2, 10);
    await ended(job);
  });

  it('is handled while the flow and its tasks are loaded', async () => {
    let loaded = (): void => {};
    const job = await cluster({
      change: (node) => ({
        ...node,
        runtimes: {
          ...node.runtimes,
          get: async (...of) => {
            await new Promise<void>((resolve) => (loaded = resolve));
            return node.runtimes.get(...of);
          },
        },
      }),
    });
    await job.wait(2_000);
    expect(job.coordinator.actors.list()).toMatchObject([{ waitingFor: 'the flow and its tasks to be loaded' }]);
    await job.clock.run(job.admin.cancelJob(ID));
    await job.wait(8_000);
    loaded();
    await ended(job);
  });
});

describe('a job whose tasks take long to load', () => {
  it('says how far it is', async () => {
    let loaded = (): void => {};
    const job = await cluster({
      change: (node) => ({
        ...node,
        runtimes: {
          ...node.runtimes,
          get: async (...of) => {
            const runtime = await node.runtimes.get(...of);
            const tasks: typeof runtime.tasks = async (onProgress) => {
              onProgress?.({ stage: 'read', done: 120 * 2 ** 20, total: 200_000_000 });
              await new Promise<void>((resolve) => (loaded = resolve));
              return runtime.tasks();
            };
            return { ...runtime, tasks };
          },
        },
      }),
    });
    await job.view();
    await job.wait(2_000);
    const text = 'its tasks to be loaded: 120 of 191 MiB of tasks read';
    expect(job.coordinator.actors.list()).toMatchObject([{ waitingFor: text }]);
    expect((await job.view()).waitingFor).toBe(text);
    loaded();
    await job.nodes.until(async () => (await queued(job)).length > 0, 10);
    expect((await job.view()).waitingFor).not.toMatch(/loaded/);
  });
});

describe('a job whose tasks come from a service that is away', () => {
  const AWAY = "load of flow 'thermostat' to answer again: task server: HTTP 503";
  async function awayFor(tries: number) {
    let calls = 0;
    const job = await cluster({
      change: (node) => ({
        ...node,
        runtimes: {
          ...node.runtimes,
          get: async (...of) => {
            const runtime = await node.runtimes.get(...of);
            const load = (): never => {
              throw new RetryLater({ afterMs: 60_000, reason: 'task server: HTTP 503' });
            };
            const tasks: typeof runtime.tasks = () => {
              calls += 1;
              return calls <= tries ? loadTasks({ ...runtime.flow, load }, { clock: runtime.clock }) : runtime.tasks();
            };
            return { ...runtime, tasks };
          },
        },
      }),
    });
    return { ...job, calls: () => calls };
  }

  it('waits, says why, and goes on', async () => {
    const job = await awayFor(2);
    await job.view();
    await job.wait(50_000);
    expect(job.coordinator.actors.list()).toMatchObject([{ restarts: 0, waitingFor: AWAY }]);
    const view = await job.view();
    expect(view.waitingFor).toContain(AWAY);
    expect(view.notices).toMatchObject([{ code: 'ADMISSION_HELD', subject: "load of flow 'thermostat'" }]);
    expect(job.calls()).toBe(1);
    await job.nodes.until(async () => (await queued(job)).length > 0, 150);
    expect(job.calls()).toBe(3);
    expect((await job.view()).notices).toMatchObject([{ code: 'ADMISSION_HELD', resolveTime: expect.anything() as unknown }]);
  });

  it('can be cancelled meanwhile', async () => {
    const job = await awayFor(Infinity);
    await job.wait(5_000);
    await job.clock.run(job.admin.cancelJob(ID));
    await job.wait(6_000);
    expect(job.record().state).toBe('CANCELLED');
    expect(job.actors()).toEqual([]);
    expect(job.calls()).toBe(1);
  });
});

it('evaluates again under an attempt of its own when another coordinator that has lost the job has drawn one', async () => {
  const job = await cluster({ overrides: ['evaluation.baselines=true', 'rollout.groupsPerRound=1'] });
  const requestsOf = async (attempt: number): Promise<number> => {
    let found = 0;
    for await (const { data } of job.coordinator.bus.read('ROLLOUTS', 'rollout.>')) {
      const { evaluation, attempt: of } = fromBinary(RolloutRequestSchema, data);
      if (evaluation !== '' && of === attempt) found += 1;
    }
    return found;
  };
  await job.nodes.until(async () => (await requestsOf(job.record().taken)) > 0, 10);
  const { taken } = job.record();
  await job.clock.run(job.coordinator.jobs.update(ID, (record) => ({ ...record, taken: taken + 5 })));
  await job.nodes.until(async () => (await requestsOf(taken + 6)) > 0, 10);
  expect(await job.clock.run(requestsOf(taken + 6))).toBe(await job.clock.run(requestsOf(taken)));
});

describe('pause', () => {
  it('is handled while the queue is full; the rest is sent later, once', async () => {
    let refusals = 0;
    const job = await cluster({
      topology: { maxMessages: { ROLLOUTS: 2 } },
      overrides: ['rollout.maxStaleness=1'],
      onRequest: (publish) => publish().catch((error: unknown) => ((refusals += 1), Promise.reject(error as Error))),
    });
    await job.nodes.until(() => refusals > 20, 30);
    await job.clock.run(job.admin.pauseJob(ID));
    await job.wait(2_000);
    const before = refusals;
    await job.wait(10_000);
    expect(refusals).toBe(before);
    expect(job.coordinator.actors.list()).toMatchObject([{ state: 'idle', restarts: 0 }]);

    const got: number[] = [];
    const work = { stream: 'ROLLOUTS', durable: 'rollout', filter: 'rollout.>' } as const;
    await job.clock.run(
      job.server.bus.consume(work, async (message) => {
        got.push(Number(fromBinary(RolloutRequestSchema, message.data).sequence));
        await message.ack();
      }),
    );
    await job.clock.run(job.admin.resumeJob(ID));
    await job.nodes.until(() => got.length >= 8, 30);
    await job.wait(5_000);
    expect(got.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});
