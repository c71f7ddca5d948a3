import type { DescMethod } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostileMessage, hostileVariant } from '../../test/support/hostile.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import { systemClock } from '../../src/clock/system.ts';
import { MillraceError } from '../../src/errors.ts';
import { AdminService } from '../../src/gen/millrace/v1/admin_pb.ts';
import { memoryBus } from '../../src/protocol/memory.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { createClient, type ServiceClient } from '../../src/rpc/client.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { adminService } from '../admin/service.ts';
import { jobBundles } from '../jobs/bundles.ts';
import type { NodeContext } from '../runtime/context.ts';
import { watchNodes } from '../runtime/nodes.ts';
import { memoryContext } from '../serial/context.ts';
import { CoordinatorBackend } from './admin-backend.ts';

/** Calls of each method. */
const RUNS = 60;
/** Ends of a call that was refused. */
const REFUSALS = ['invalid_argument', 'not_found', 'already_exists', 'failed_precondition'];
/** They do not end by themselves, or answer from the store, which is not there. */
const LEFT_OUT = new Set([
  'watchJob',
  'watchJobs',
  'query',
  'exportTrajectories',
  'importTrajectories',
  'getStoreStats',
  'pruneStore',
]);
const BUCKETS = ['jobs', 'schedules', 'agents', 'budgets'];

const CONFIG = thermostatJob([]);
const anyOf = (...values: string[]): fc.Arbitrary<string> => fc.constantFrom(...values);
const USUAL = {
  jobId: anyOf('job', 'job', 'other', ''),
  configJson: fc.oneof(fc.constant(JSON.stringify(CONFIG)), hostileVariant(CONFIG)),
  requestId: fc.oneof(fc.constant(''), fc.uuid()),
  name: anyOf('nightly', 'sums'),
  cron: anyOf('', '0 3 * * *'),
  timeZone: anyOf('', 'UTC'),
  owner: anyOf('', 'ana'),
  agent: anyOf('', 'sums'),
  bundleDigest: anyOf('', 'a'.repeat(64)),
  from: anyOf('', 'job', 'job@0'),
  fork: anyOf('', 'job'),
  month: anyOf('', '2026-11'),
  expectedOutcomeJson: anyOf('1', '{"a": [1]}'),
};

describe('the admin API', { timeout: 60_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let context: NodeContext;
  let backend: CoordinatorBackend;
  let server: RunningServer;
  let admin: ServiceClient<typeof AdminService>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const memory = await memoryContext('coordinator', {
      bus: memoryBus({ clock: systemClock }),
      clock: systemClock,
      random: seededRandom(1),
      log: silentLogger(),
      stateDir: folder.path,
      outside: (work) => work,
    });
    context = { ...memory, bundles: jobBundles(folder.path, memory.artifacts, memory.random) };
    const query = (): Promise<never> => Promise.reject(new MillraceError('unimplemented', 'no SQL here'));
    backend = new CoordinatorBackend(context, await watchNodes(context.bus), { query });
    server = await startServer({ services: [adminService(backend)], rateLimit: { perSecond: 1e6, burst: 1e6 } });
    admin = createClient(AdminService, server.address);
    await backend.agents.register({ name: 'sums', bundle: 'a'.repeat(64), flow: 'sums', takesQueries: true, owner: 'ana' });
    await admin.createJob({ jobId: 'job', configJson: JSON.stringify(CONFIG) });
  });
  afterAll(async () => {
    admin.close();
    await server.stop(500);
    backend.close();
    await folder.remove();
  });

  /** What is kept, with its revisions. */
  async function kept(): Promise<string[]> {
    const names = BUCKETS.map(async (name) => {
      const bucket = context.bus.kv(name);
      const keys = (await bucket.keys()).sort();
      return Promise.all(keys.map(async (key) => `${name}/${key}@${(await bucket.get(key))!.revision}`));
    });
    return (await Promise.all(names)).flat();
  }

  async function call(method: DescMethod, request: Record<string, unknown>): Promise<void> {
    const client = admin as unknown as Record<string, (request: unknown) => Promise<unknown>>;
    const stream = async function* (): AsyncGenerator<unknown> {
      yield request;
      yield request;
    };
    await client[method.localName]!(method.methodKind === 'client_streaming' ? stream() : request);
  }

  const methods = AdminService.methods.filter(({ localName }) => !LEFT_OUT.has(localName));
  it.each(methods.map((method) => [method.localName, method] as const))(
    '%s refuses what it cannot take, with the field',
    async (_, method) => {
      await fc.assert(
        fc.asyncProperty(hostileMessage(method.input, USUAL), async (request) => {
          const before = await kept();
          try {
            await call(method, request);
          } catch (thrown) {
            const { code, field, message } = MillraceError.from(thrown);
            expect({ code, message }).toEqual({ code: expect.toBeOneOf(REFUSALS) as string, message });
            if (code === 'invalid_argument')
              expect({ field, message }).toEqual({ field: expect.stringMatching(/./) as string, message });
            expect(message).not.toMatch(/Invalid input|expected string, received|is not a function|Cannot read|^\[object/);
            expect(await kept()).toEqual(before);
          }
        }),
        { numRuns: RUNS, seed: 13 },
      );
      // It goes on.
      expect((await admin.getJob({ jobId: 'job' })).job?.id).toBe('job');
    },
  );
});
