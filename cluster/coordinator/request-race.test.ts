import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import type { Bus, KeyValue } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import { CreateJobRequestSchema, EvaluateJobRequestSchema, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { parameterCount } from '../../src/policy/policy.ts';
import type { Random } from '../../src/random/random.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { createJob, evaluateJob } from '../admin/create-job.ts';
import { loadJobRuntime } from '../jobs/runtime.ts';
import { REAL_PORTS } from '../jobs/real-ports.ts';
import type { NodeContext } from '../runtime/context.ts';
import { watchNodes } from '../runtime/nodes.ts';
import { CoordinatorBackend } from './admin-backend.ts';

/** Interleavings of each request. */
const SEEDS = 40;
/** What a call of the bus takes at most each way, in ms. */
const SLOWEST_MS = 40;
const CONFIG = thermostatJob(['rounds=3']);

/** The bus behind a network whose delays are drawn. */
function slow(bus: Bus, clock: Clock, random: Random): Bus {
  const trip = (): Promise<void> => clock.sleep(random.uniform() * SLOWEST_MS);
  const late =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await trip();
      return call(...args).finally(trip);
    };
  const kv = (name: string): KeyValue => {
    const bucket = bus.kv(name);
    return {
      ttlMs: bucket.ttlMs,
      get: late((key) => bucket.get(key)),
      put: late((key, value) => bucket.put(key, value)),
      create: late((key, value) => bucket.create(key, value)),
      update: late((key, value, revision) => bucket.update(key, value, revision)),
      delete: late((key, revision) => bucket.delete(key, revision)),
      keys: late((filter) => bucket.keys(filter)),
      // What a watch tells comes late as well, in order.
      watch: (filter, onEntry) => {
        let last = Promise.resolve();
        return bucket.watch(filter, (entry) => {
          last = last.then(trip).then(() => onEntry(entry));
        });
      },
    };
  };
  return new Proxy(bus, {
    get: (target, name) => {
      if (name === 'kv') return kv;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as (...args: never[]) => unknown).bind(target) : value;
    },
  });
}

describe('one request id at two coordinators at the same moment', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let nodes: MemoryNodes;
  const random = seededRandom(7);
  const contexts: NodeContext[] = [];
  const backends: CoordinatorBackend[] = [];
  const run = <T>(work: Promise<T>): Promise<T> => nodes.clock.run(work);

  beforeAll(async () => {
    folder = await temporaryFolder();
    nodes = new MemoryNodes(folder.path);
    for (const id of ['coordinator-1', 'coordinator-2']) {
      const context = await run(nodes.node(id, (bus) => slow(bus, nodes.clock, random)));
      contexts.push(context);
      const query = (): Promise<never> => Promise.reject(new MillraceError('unimplemented', 'no SQL here'));
      backends.push(new CoordinatorBackend(context, await run(watchNodes(context.bus)), { query }));
    }
    // A job with weights that can be measured.
    const { kind, spec } = await loadJobRuntime(CONFIG, REAL_PORTS);
    const count = parameterCount(kind.layout(spec));
    await run(backends[0]!.createJob('parent', CONFIG));
    const manifest = create(WeightManifestSchema, { job: 'parent', version: 0, ledger: {} });
    const weights = { weights: new Uint8Array(4 * count), optimizer: new Uint8Array(8 * count) };
    await run(contexts[0]!.weights.commit(manifest, weights, 0));
    await run(nodes.clock.sleep(1_000));
  });
  afterAll(async () => {
    backends.forEach((backend) => backend.close());
    await folder?.remove();
  });

  const uuid = (): string => {
    const hex = Array.from({ length: 32 }, () => random.integer(16).toString(16)).join('');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  };

  /** The request at both, at moments that are drawn, and once more at one of them. */
  async function race(request: (backend: CoordinatorBackend) => Promise<Job>): Promise<Job[]> {
    const at = [0, 1, random.integer(2)].map((which) => backends[which]!);
    return run(
      Promise.all(
        at.map(async (backend) => {
          await nodes.clock.sleep(random.uniform() * 2 * SLOWEST_MS);
          return request(backend);
        }),
      ),
    );
  }

  async function expectOne(jobs: readonly Job[], requestId: string): Promise<void> {
    const [{ id, createTime }] = jobs as [Job];
    expect(jobs.map((job) => [job.id, job.createTime, job.configJson])).toEqual(
      jobs.map(() => [id, createTime, jobs[0]!.configJson]),
    );
    await run(nodes.clock.sleep(10 * SLOWEST_MS));
    for (const { jobs: directory } of contexts)
      expect(
        directory
          .list()
          .filter(({ record }) => record.request?.id === requestId)
          .map(({ record }) => record.id),
      ).toEqual([id]);
    expect((await run(contexts[0]!.bus.streamState('EVENTS', `event.${id}.created`))).messages).toBe(1);
  }

  const configJson = JSON.stringify(CONFIG);
  it.each([
    ['without an id of its own', {}],
    ['with an id of its own', { named: true }],
    ['from weights', { from: 'parent@0' }],
  ])(
    'creates one job %s, and both answers are that job',
    async (_, { named = false, from = '' }: { named?: boolean; from?: string }) => {
      for (let seed = 0; seed < SEEDS; seed += 1) {
        const requestId = uuid();
        const jobId = named ? `named-${requestId.slice(0, 8)}` : '';
        const request = create(CreateJobRequestSchema, { configJson, jobId, from, requestId });
        await expectOne(await race((backend) => createJob(backend, request)), requestId);
      }
    },
  );

  it('measures a version once', async () => {
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const requestId = uuid();
      const request = create(EvaluateJobRequestSchema, { jobId: 'parent', version: 0, requestId });
      await expectOne(await race((backend) => evaluateJob(backend, request)), requestId);
    }
  });

  it('creates one job where the two are not the same, and says so to the other', async () => {
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const requestId = uuid();
      const request = (priority: number) => create(CreateJobRequestSchema, { configJson, priority, requestId });
      const answers = await run(Promise.allSettled(backends.map((backend, i) => createJob(backend, request(i)))));
      const failed = answers.filter((answer) => answer.status === 'rejected');
      expect(failed.map(({ reason }) => MillraceError.from(reason))).toMatchObject([
        { code: 'already_exists', field: 'request_id' },
      ]);
    }
  });
});
