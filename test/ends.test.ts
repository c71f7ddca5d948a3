import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create, fromBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeContext, Role } from '../cluster/runtime/context.ts';
import { startCoordinator } from '../cluster/coordinator/index.ts';
import { settleLedger } from '../cluster/parameter-server/settle-ledger.ts';
import { startParameterServer } from '../cluster/parameter-server/index.ts';
import { runSerial } from '../cluster/serial/index.ts';
import type { Bus, ConsumeOptions } from '../src/bus/bus.ts';
import { MillraceError } from '../src/errors.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { RolloutRequestSchema } from '../src/gen/millrace/v1/training_pb.ts';
import { WeightManifestSchema } from '../src/gen/millrace/v1/weights_pb.ts';
import { emptyLedger, end, open } from '../src/jobs/ledger.ts';
import { createJobRecord, transition, type JobRecord } from '../src/jobs/record.ts';
import { MemoryNodes } from './support/memory-node.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let nodes: MemoryNodes;
const roles: Role[] = [];
beforeEach(async () => {
  folder = await temporaryFolder();
  nodes = new MemoryNodes(folder.path);
});
afterEach(async () => {
  for (const role of roles.splice(0)) await nodes.clock.run(role.stop());
  await folder.remove();
});

const quick = [
  'rounds=3',
  'evaluation.every=0',
  'evaluation.baselines=false',
  'rollout.groupsPerRound=4',
  'rollout.maxStaleness=0',
];

function record(overrides: readonly string[] = quick, flow?: string): JobRecord {
  const config = thermostatJob(overrides);
  const changed = flow === undefined ? config : { ...config, flow };
  return createJobRecord({ id: 'thermostat', config: changed, now: 0 });
}

async function start(starting: Promise<Role>): Promise<Role> {
  const role = await nodes.clock.run(starting);
  roles.push(role);
  return role;
}

async function kinds({ bus }: NodeContext): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of bus.read('EVENTS', 'event.thermostat.>')) seen.push(event.subject.split('.')[2]!);
  // Rows of table `training_jobs` come whenever the job changes.
  return seen.filter((kind) => kind !== 'job-state');
}

describe('the end of a job', () => {
  it('is FAILED with the reason when its flow is gone before it starts; the node lives on', async () => {
    const node = await nodes.node('coordinator');
    await node.jobs.create(record(quick, join(folder.path, 'gone.ts')));
    await start(startCoordinator(node));
    await nodes.until(() => node.jobs.get('thermostat')?.record.state === 'FAILED', 5);
    await nodes.until(() => node.jobs.get('thermostat')?.record.unsettled.includes('queues') === false, 5);
    expect(node.jobs.get('thermostat')!.record.error).toMatch(/cannot be loaded: .*gone\.ts/);
    expect(await nodes.clock.run(kinds(node))).toEqual(['failed']);
  });

  it('is gone to by another coordinator where the first one died half way', async () => {
    const node = await nodes.node('coordinator');
    const running = transition(record(), 'RUNNING', { now: 1 });
    await node.jobs.create(transition(running, 'CANCELLED', { now: 2 }));
    await node.bus.publish('rollout.thermostat', new Uint8Array(1), { id: 'left' });
    await start(startCoordinator(node));
    await nodes.until(() => node.jobs.get('thermostat')?.record.unsettled.includes('queues') === false, 5);
    expect((await node.bus.streamState('ROLLOUTS', 'rollout.thermostat')).messages).toBe(0);
    expect(await nodes.clock.run(kinds(node))).toEqual(['cancelled']);
  });

  it('leaves closed books where the parameter server died before it could close them', async () => {
    const node = await nodes.node('parameter-server');
    const ledger = end(emptyLedger(), 1, 'filtered');
    const manifest = create(WeightManifestSchema, { job: 'thermostat', version: 0, ledger });
    await node.weights.commit(manifest, { weights: new Uint8Array(4), optimizer: new Uint8Array(8) }, 0);
    const running = { ...transition(record(), 'RUNNING', { now: 1 }), accepted: 4 };
    await node.jobs.create(transition(running, 'CANCELLED', { now: 2 }));
    await start(startParameterServer(node));
    await nodes.until(() => node.jobs.get('thermostat')?.record.unsettled.includes('books') === false, 5);
    const closed = (await node.weights.latest('thermostat'))!;
    expect(open(closed.manifest.ledger!, 4)).toEqual([]);
    expect(closed.manifest.ledger).toMatchObject({ filtered: 1n, failed: 3n, failedByClass: { CANCELLED: 3n } });
    await settleLedger(node, node.jobs.get('thermostat')!.record);
    expect((await node.weights.latest('thermostat'))!.revision).toBe(closed.revision);
  });

  it('fails when its weights are gone', async () => {
    const node = await nodes.node('parameter-server');
    await node.jobs.create({ ...transition(record(), 'RUNNING', { now: 1 }), accepted: 4, checkpoint: '/state/v000025' });
    await start(startParameterServer(node));
    await nodes.until(() => node.jobs.get('thermostat')!.record.state === 'FAILED', 60);
    expect(node.jobs.get('thermostat')!.record.error).toMatch(
      /training state of job thermostat is gone: it has sent 4 requests, .*newest checkpoint is \/state\/v000025/,
    );
    await nodes.until(() => !node.jobs.get('thermostat')!.record.unsettled.includes('books'), 10);
    expect(await node.weights.latest('thermostat')).toBeUndefined();
  });

  it('comes for a cancelled job that no parameter server has begun', async () => {
    const node = await nodes.node('coordinator');
    await node.jobs.create(record());
    await start(startCoordinator(node));
    await nodes.until(() => node.jobs.get('thermostat')?.record.state === 'RUNNING', 5);
    await node.jobs.update('thermostat', (before) => ({ ...before, cancelRequested: true }));
    await nodes.until(() => node.jobs.get('thermostat')?.record.state === 'CANCELLED', 5);
  });

  const durables = ['trainer-thermostat', 'evaluations-thermostat'];
  it.each([...durables, 'the trainer'])(
    'leaves nothing where it comes while the job is being started: before %s is made',
    async (made) => {
      const admin = await nodes.node('admin');
      let cancelled = false;
      /** Cancels the job before that is made, and gives everybody time to hear of it and to settle it. */
      const before = async (what: string): Promise<void> => {
        if (cancelled || what !== made) return;
        cancelled = true;
        await admin.jobs.update('thermostat', (now) => transition(now, 'CANCELLED', { now: nodes.clock.now() }));
        await nodes.clock.sleep(3_000);
      };
      const watched = (bus: Bus): Bus =>
        Object.assign(Object.create(bus) as Bus, {
          ensureDurable: async (options: ConsumeOptions) => before(options.durable).then(() => bus.ensureDurable(options)),
        });
      const coordinator = await nodes.node('coordinator', watched);
      const server = await nodes.node('parameter-server');
      const runtimes: typeof server.runtimes = {
        ...server.runtimes,
        get: async (...job) => before('the trainer').then(() => server.runtimes.get(...job)),
      };
      await admin.jobs.create(record());
      await start(startParameterServer({ ...server, runtimes }));
      await start(startCoordinator(coordinator));
      await nodes.until(() => admin.jobs.get('thermostat')!.record.state === 'CANCELLED', 5);
      await nodes.until(() => admin.jobs.get('thermostat')!.record.unsettled.length === 0, 20);
      await nodes.clock.run(nodes.clock.sleep(5_000));
      const left = durables.map(async (name) => admin.bus.durableState('SCORED', name));
      expect(await nodes.clock.run(Promise.all(left))).toEqual([undefined, undefined]);
      expect([...coordinator.actors.list(), ...server.actors.list()]).toEqual([]);
    },
  );
});

describe('a coordinator', () => {
  it('notes that it goes on with a job, once for each owner', async () => {
    const node = await nodes.node('coordinator');
    await node.jobs.create(transition(record(), 'RUNNING', { now: 1 }));
    await start(startCoordinator(node));
    await nodes.until(() => node.jobs.get('thermostat')!.record.resumedAt.length === 1, 5);
    await nodes.clock.run(nodes.clock.sleep(3000));
    expect(node.jobs.get('thermostat')!.record.resumedAt).toHaveLength(1);
    expect(await nodes.clock.run(kinds(node))).toEqual(['taken-over']);
  });

  /** Ids of what was asked for, where the bus fails at the given requests. */
  async function asked(failAt: readonly number[], overrides: readonly string[]): Promise<string[]> {
    let calls = 0;
    const failing = (bus: Bus): Bus =>
      new Proxy(bus, {
        get(target, name) {
          const value = Reflect.get(target, name, target) as unknown;
          if (typeof value !== 'function') return value;
          if (name !== 'publish') return value.bind(target) as unknown;
          return (subject: string, ...rest: [Uint8Array, { id: string }]) => {
            if (subject.startsWith('rollout.') && failAt.includes((calls += 1)))
              return Promise.reject(new MillraceError('unavailable', 'away'));
            return target.publish(subject, ...rest);
          };
        },
      });
    const node = await nodes.node('coordinator', failing);
    await node.jobs.create(record([...quick, ...overrides]));
    const server = await nodes.node('parameter-server');
    await start(startCoordinator(node));
    await start(startParameterServer(server));
    const ids: string[] = [];
    const consumer = await server.bus.consume(
      { stream: 'ROLLOUTS', durable: 'rollout', filter: 'rollout.>', maxInFlight: 1000 },
      async (message) => {
        ids.push(fromBinary(RolloutRequestSchema, message.data).id);
        await message.ack();
      },
    );
    await nodes.clock.run(nodes.clock.sleep(20_000));
    await nodes.clock.run(consumer.stop());
    return ids;
  }

  it('sends every training request, and none twice, though the bus fails in between', async () => {
    const ids = await asked([3, 9], ['rollout.groupsPerRound=8']);
    expect(ids).toHaveLength(8);
    expect(new Set(ids).size).toBe(8);
  });

  it('sends every request of its evaluations, and none twice, though the bus fails in between', async () => {
    const ids = await asked([3, 20], ['evaluation.baselines=true', 'split.heldOut=0.05']);
    const requestsOf = (key: string): string[] => ids.filter((id) => id.includes(`:${key}@0:`));
    // An id says how many tasks the request is about beside the first.
    const of = (key: string): number =>
      requestsOf(key).reduce((sum, id) => sum + 1 + Number(/\+(\d+):\d+$/.exec(id)?.[1] ?? 0), 0);
    expect(new Set(ids).size).toBe(ids.length);
    expect(of('random')).toBeGreaterThan(3);
    for (const key of ['do-nothing', 'untrained']) expect(of(key)).toBe(of('random'));
    expect(requestsOf('untrained').length).toBeLessThan(of('untrained'));
  });
});

describe('a full disk', () => {
  it('costs a checkpoint and not the training, and is told', async () => {
    // A file where the folder of checkpoints should be.
    await writeFile(join(folder.path, 'checkpoints'), '');
    const { job, store } = await runSerial(thermostatJob([...quick, 'evaluation.every=2']), { stateDir: folder.path });
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(job.checkpoint).toBe('');
    const failures = store.rows('job_events').filter((row) => row['kind'] === 'checkpoint-failed');
    expect(failures.map((row) => row['id']).sort()).toEqual(['checkpoint-failed:2', 'checkpoint-failed:3']);
    expect(failures[0]!['message']).toMatch(/could not be written/);
  });
});
