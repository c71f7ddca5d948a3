import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostileJson } from '../../../test/support/hostile.ts';
import { startServer, type RunningServer } from '../../../src/rpc/server.ts';
import { silentLogger } from '../../../src/telemetry/log.ts';
import { MemoryBackend } from '../../admin/memory-backend.ts';
import { adminService } from '../../admin/service.ts';
import { TEST_CLIENTS } from '../clients.fixture.ts';
import { startGateway, type RunningGateway } from '../server.ts';
import { coordinatorClient, type Coordinator } from './coordinator.ts';
import { jsonRpcRoute } from './route.ts';
import { trainingMethods } from './training.ts';

const RUNS = 100;
const DATA = [
  { query: 'What is 1 + 1?', expected_outcome: '2' },
  { query: 'What is 1 + 2?', expected_outcome: { answer: 3 } },
];
/** Params that each method takes; some of them are replaced. */
const GOOD: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'training.start_grpo': { agent_id: 'sums', training_data: DATA, config: { n_rounds: 3 }, name: 'x', owner: 'ana', priority: 1 },
  'training.get_status': { job_id: 'job' },
  'training.evaluate': { job_id: 'job', checkpoint: 1, wait_seconds: 0 },
  'training.export_trajectories': { job_id: 'job', purpose: 'train', limit: 1, cursor: '' },
  'training.cancel': { job_id: 'job' },
  'training.pause': { job_id: 'job' },
  'training.resume': { job_id: 'job' },
};
const SETTINGS = ['n_trajectories_per_query', 'batch_size', 'n_rounds', 'learning_rate', 'seed', 'job', '__proto__', 'unknown'];

/** Params with one or two values that are something else, at the top or in the settings. */
function params(method: string): fc.Arbitrary<unknown> {
  const good = GOOD[method]!;
  const keys = [...Object.keys(good), 'request_id', '__proto__', 'constructor', 'more'];
  const changed = fc.tuple(fc.constantFrom(...keys), hostileJson).map(([key, value]) => withKey(good, key, value));
  const settings = fc
    .tuple(fc.constantFrom(...SETTINGS), hostileJson)
    .map(([key, value]) => withKey(good, 'config', withKey({}, key, value)));
  const data = hostileJson.map((value) =>
    withKey(good, 'training_data', [DATA[0], withKey(DATA[1]!, 'expected_outcome', value)]),
  );
  return fc.oneof({ weight: 4, arbitrary: changed }, { weight: 2, arbitrary: settings }, data, hostileJson);
}

/** A copy with a key of its own of any name, also `__proto__`. */
function withKey(object: object, key: string, value: unknown): object {
  return Object.defineProperty({ ...object }, key, { value, enumerable: true, configurable: true, writable: true });
}

describe('JSON-RPC', { timeout: 60_000 }, () => {
  const backend = new MemoryBackend();
  let server: RunningServer;
  let coordinator: Coordinator;
  let gateway: RunningGateway;

  beforeAll(async () => {
    server = await startServer({
      services: [{ ...adminService(backend), token: 'admin' }],
      rateLimit: { perSecond: 1e6, burst: 1e6 },
    });
    coordinator = coordinatorClient(() => Promise.resolve([server.address]), { token: 'admin' });
    const log = silentLogger();
    const routes = [jsonRpcRoute(trainingMethods(coordinator), log)];
    gateway = await startGateway({ routes, authenticator: TEST_CLIENTS, log, limits: { rate: { perSecond: 1e6, burst: 1e6 } } });
    await backend.agents.register({ name: 'sums', bundle: 'b'.repeat(64), flow: 'sums', takesQueries: true, owner: 'ana' });
  });
  afterAll(async () => {
    await gateway.stop(100);
    coordinator.close();
    await server.stop(100);
  });

  it.each(Object.keys(GOOD))('%s refuses params that it cannot take, with the field', async (method) => {
    await fc.assert(
      fc.asyncProperty(params(method), async (given) => {
        const before = (await backend.listJobs()).length;
        const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: given });
        const response = await fetch(`${gateway.url}/rpc`, { method: 'POST', body, headers: { authorization: 'Bearer writer' } });
        expect(response.status).toBe(200);
        const { error, result } = (await response.json()) as {
          error?: { code: number; message: string; data: { field?: string } };
          result?: unknown;
        };
        if (error === undefined) {
          expect(result).toBeDefined();
          return;
        }
        // Invalid request, invalid params, not found, already exists, failed precondition, and no store is there.
        expect({ error }).toEqual({
          error: expect.objectContaining({
            code: expect.toBeOneOf([-32600, -32602, -32004, -32009, -32012, -32053]) as number,
          }) as object,
        });
        if (error.code === -32602) expect(error).toMatchObject({ data: { field: expect.stringMatching(/./) as string } });
        expect(error.message).not.toMatch(/Invalid input|expected string, received|is not a function|Cannot read|^\[object/);
        expect(await backend.listJobs()).toHaveLength(before);
      }),
      { numRuns: RUNS, seed: 13 },
    );
  });
});
