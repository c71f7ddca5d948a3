import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { Authenticator } from '../../../src/access/authenticator.ts';
import { guardOf } from '../../../src/access/guard.ts';
import { ADMIN_SCOPES } from '../../../src/access/required.ts';
import { systemClock } from '../../../src/clock/system.ts';
import { silentLogger } from '../../../src/telemetry/log.ts';
import { CheckpointSchema, EvaluationSchema, JobProgressSchema, JobState } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { startServer, type RunningServer } from '../../../src/rpc/server.ts';
import { adminGuard } from '../../access/admin-guard.ts';
import { MemoryBackend } from '../../admin/memory-backend.ts';
import { adminService } from '../../admin/service.ts';
import { TEST_CLIENTS } from '../clients.fixture.ts';
import { startGateway, type RunningGateway } from '../server.ts';
import { coordinatorClient, type Coordinator } from './coordinator.ts';
import { jsonRpcRoute } from './route.ts';
import { trainingMethods } from './training.ts';

const guard = adminGuard({ admin: 'admin', gateway: 'gateway' }, { clock: systemClock });
// Of many forms.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Answer = any;
const DATA = [
  { query: 'What is 1 + 1?', expected_outcome: '2' },
  { query: 'What is 1 + 2?', expected_outcome: { answer: 3 } },
];

describe('JSON-RPC', () => {
  let backend: MemoryBackend;
  let server: RunningServer;
  let coordinator: Coordinator;
  let gateway: RunningGateway;

  beforeEach(async () => {
    backend = new MemoryBackend();
    server = await startServer({ services: [{ ...adminService(backend), guard }] });
    coordinator = coordinatorClient(() => Promise.resolve([server.address]), { token: 'gateway' });
    const log = silentLogger();
    const routes = [jsonRpcRoute(trainingMethods(coordinator), log)];
    gateway = await startGateway({ routes, authenticator: TEST_CLIENTS, log, limits: { rate: { perSecond: 1e6, burst: 1e6 } } });
    await backend.agents.register({ name: 'sums', bundle: 'b'.repeat(64), flow: 'sums', takesQueries: true, owner: 'ana' });
  });
  afterEach(async () => {
    await gateway.stop(100);
    coordinator.close();
    await server.stop(100);
  });

  const post = (body: string, token = 'writer'): Promise<Response> =>
    fetch(`${gateway.url}/rpc`, { method: 'POST', body, headers: { authorization: `Bearer ${token}` } });
  const send = async (request: unknown, token?: string): Promise<Answer> => (await post(JSON.stringify(request), token)).json();
  const call = (method: string, params: unknown, token?: string): Promise<Answer> =>
    send({ jsonrpc: '2.0', id: 1, method, params }, token);

  it('starts a job of an agent with the data, and its names for settings', async () => {
    const config = {
      ...{ n_trajectories_per_query: 4, batch_size: 2, checkpoint_interval: 5, n_rounds: 7, learning_rate: 0.01 },
      job: { rollout: { temperature: 0.5 } },
    };
    const request_id = '0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d';
    const params = { agent_id: 'sums', training_data: DATA, config, owner: 'ana', priority: 2, request_id };
    const { result } = await call('training.start_grpo', params);
    expect((await call('training.start_grpo', params)).result).toEqual(result);
    const job = backend.jobs.get(result.training_job_id)!;
    expect(job).toMatchObject({ agent: 'sums', owner: 'ana', priority: 2 });
    expect(JSON.parse(job.configJson)).toMatchObject({
      ...{ name: 'sums', flow: '/agents/sums', rounds: 7, algorithm: { name: 'grpo' } },
      rollout: { groupSize: 4, groupsPerRound: 2, temperature: 0.5 },
      ...{ checkpoint: { every: 5 }, evaluation: { every: 5 }, optimizer: { learningRate: 0.01 } },
    });
    expect(backend.created).toHaveLength(1);
    expect(backend.created[0]).toMatchObject({ bundle: 'b'.repeat(64), queries: DATA });
  });

  it('says how a job is, and changes it', async () => {
    const { result } = await call('training.start_grpo', { agent_id: 'sums', training_data: DATA });
    const job_id = result.training_job_id as string;
    const status = async (): Promise<Answer> => (await call('training.get_status', { job_id }, 'reader')).result;
    expect(await status()).toMatchObject({ job_id, status: 'queued', best_checkpoint: null, progress: { error: null } });
    expect(Object.keys((await status()) as object)).toEqual(['job_id', 'status', 'progress', 'metrics', 'best_checkpoint']);
    const evaluation = create(EvaluationSchema, { name: 'trained', policyVersion: 3, tasks: 10, successes: 6, failed: 2 });
    await backend.change(job_id, (job) => {
      job.state = JobState.RUNNING;
      job.progress = create(JobProgressSchema, {
        round: 3,
        roundsTotal: 12,
        reward: 0.5,
        etaSeconds: -1,
        statistics: { loss: 2 },
      });
      job.evaluations = [evaluation];
      job.bestCheckpoint = create(CheckpointSchema, { jobId: job_id, version: 3, digest: 'd', evaluation });
    });
    expect(await status()).toMatchObject({
      status: 'running',
      progress: { round: 3, rounds: 12, fraction: 0.25, eta_seconds: null },
      metrics: { reward: 0.5, loss: 2, success_rate: 0.75 },
      best_checkpoint: { checkpoint: `${job_id}@3`, version: 3, digest: 'd', evaluation: { success_rate: 0.75 } },
    });
    const states: string[] = [];
    for (const method of ['pause', 'resume', 'cancel'])
      states.push((await call(`training.${method}`, { job_id })).result.status as string);
    expect(states).toEqual(['paused', 'running', 'cancelled']);
    await backend.change(job_id, () => {});
    for (const [state, word] of [
      [JobState.SUCCEEDED, 'completed'],
      [JobState.FAILED, 'failed'],
    ] as const) {
      backend.jobs.get(job_id)!.state = state;
      expect((await status()).status).toBe(word);
    }
  });

  it('starts evaluations of a checkpoint or the newest version, and waits for the result if it is to', async () => {
    const { result } = await call('training.start_grpo', { agent_id: 'sums', training_data: DATA });
    const job_id = result.training_job_id as string;
    const request_id = '0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d';
    const first = (await call('training.evaluate', { job_id, checkpoint: `${job_id}@3`, request_id })).result;
    expect(first).toMatchObject({ job_id, checkpoint: `${job_id}@3`, status: 'queued', result: null, error: null });
    expect(first.evaluation_id).not.toBe(job_id);
    expect(backend.created.at(-1)).toMatchObject({ evaluates: { job: job_id, version: 3 } });
    const same = await call('training.evaluate', { job_id, checkpoint: 3, request_id });
    expect(same.result.evaluation_id).toBe(first.evaluation_id);
    await call('training.evaluate', { job_id });
    expect(backend.created.at(-1)!.evaluates).toEqual({ job: job_id, version: undefined });

    const answer = call('training.evaluate', { job_id, checkpoint: 3, request_id, wait_seconds: 50 });
    await expect.poll(() => backend.watchers).toBe(1);
    await backend.change(first.evaluation_id as string, (job) => {
      job.state = JobState.SUCCEEDED;
      job.evaluations = [create(EvaluationSchema, { name: 'trained', tasks: 10, successes: 6, failed: 2 })];
    });
    expect((await answer).result).toMatchObject({
      status: 'completed',
      result: { name: 'trained', policy_version: 3, tasks: 10, successes: 6, failed: 2, success_rate: 0.75 },
    });
    expect((await call('training.evaluate', { job_id, wait_seconds: 0.05 })).result).toMatchObject({ status: 'queued' });
    const { error } = await call('training.evaluate', { job_id, checkpoint: 'other@3' });
    expect(error.data).toMatchObject({ code: 'invalid_argument', field: 'checkpoint' });
    expect((await call('training.evaluate', { job_id: 'nobody' })).error).toMatchObject({
      code: -32004,
      data: { field: 'job_id' },
    });
    expect((await call('training.evaluate', { job_id }, 'reader')).error.code).toBe(-32003);
  });

  it('exports whole trajectories, page by page', async () => {
    backend.transfer = {
      async *exportTrajectories({ cursor }) {
        for (let i = Number(cursor); i < 5; i += 1)
          yield { data: Buffer.from(`{"n":${i}}\n`), cursor: String(i + 1), done: 0n, total: 5n };
      },
      importTrajectories: () => Promise.reject(new Error('not asked')),
    };
    const seen: number[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { result }: Answer = await call('training.export_trajectories', { job_id: 'a', limit: 2, cursor });
      seen.push(...(result.trajectories as { n: number }[]).map(({ n }) => n));
      cursor = result.cursor as string | null;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  it.each<[what: string, method: string, params: unknown, expected: [code: number, field?: string]]>([
    ['no such method', 'training.fly', {}, [-32601]],
    ['a method of objects', 'constructor', {}, [-32601]],
    ['params that are a list', 'training.get_status', ['a'], [-32602, 'params']],
    ['no job', 'training.get_status', {}, [-32602, 'job_id']],
    ['an unknown job', 'training.get_status', { job_id: 'nobody' }, [-32004, 'job_id']],
    ['an unknown agent', 'training.start_grpo', { agent_id: 'nobody', training_data: DATA }, [-32004, 'agent_id']],
    [
      'a wrong type',
      'training.start_grpo',
      { agent_id: 'sums', training_data: [{ query: 1 }, DATA[0]] },
      [-32602, 'training_data.0.query'],
    ],
    [
      'an unknown setting',
      'training.start_grpo',
      { agent_id: 'sums', training_data: DATA, config: { batchsize: 1 } },
      [-32602, 'config.batchsize'],
    ],
    [
      'a setting out of range',
      'training.start_grpo',
      { agent_id: 'sums', training_data: DATA, config: { n_trajectories_per_query: 1 } },
      [-32602, 'config.n_trajectories_per_query'],
    ],
    [
      'a wrong setting of the job',
      'training.start_grpo',
      { agent_id: 'sums', training_data: DATA, config: { job: { rollout: { x: 1 } } } },
      [-32602, 'rollout.x'],
    ],
  ])('names what is wrong: %s', async (_what, method, params, [code, field]) => {
    const { error, id } = await call(method, params);
    expect({ code: error.code, field: error.data?.field, id }).toEqual({ code, field, id: 1 });
    expect(backend.jobs.size).toBe(0);
  });

  it('takes batches, notifications, and the scopes of HTTP', async () => {
    await backend.createJob('a', { name: 'a' } as never);
    const one = { jsonrpc: '2.0', method: 'training.pause', params: { job_id: 'a' } };
    const note = await post(JSON.stringify(one));
    expect([note.status, await note.text()]).toEqual([204, '']);
    expect(backend.jobs.get('a')!.state).toBe(JobState.PAUSED);
    const get = { jsonrpc: '2.0', id: 'x', method: 'training.get_status', params: { job_id: 'a' } };
    const batch = await send([get, null, one, { ...get, id: 2, jsonrpc: '1.0' }, { ...get, id: 3 }]);
    const answers = batch as { id: unknown; error?: { code: number } }[];
    expect(answers.map(({ id, error }) => [id, error?.code])).toEqual([
      ['x', undefined],
      [null, -32600],
      [2, -32600],
      [3, undefined],
    ]);
    expect(await send([get])).toHaveLength(1);
    expect((await send([])).error.code).toBe(-32600);
    expect((await send(Array(101).fill(get))).error.code).toBe(-32600);
    expect((await call('training.cancel', { job_id: 'a' }, 'reader')).error).toMatchObject({ code: -32003 });
    expect((await post('{}', 'nobody')).status).toBe(401);
    expect((await post('{}', 'monitor')).status).toBe(403);
  });

  it('answers whatever comes', async () => {
    for (const body of ['', '{', '"x"', 'null', '7', '[[]]', '{"jsonrpc":"2.0"}', '{"jsonrpc":"2.0","method":7,"id":1}']) {
      const answer: Answer = await (await post(body)).json();
      expect([-32700, -32600]).toContain((Array.isArray(answer) ? answer[0] : answer).error.code);
    }
    expect((await post('x'.repeat(9 * 2 ** 20))).status).toBe(413);
    await fc.assert(
      fc.asyncProperty(fc.json(), fc.constantFrom('training.start_grpo', 'training.get_status'), async (params, method) => {
        const answer: Answer = await (await post(`{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`)).json();
        expect(answer.error.code).toBeLessThan(-32000);
      }),
      { numRuns: 50 },
    );
  });

  it('goes on with another coordinator', async () => {
    await backend.createJob('a', { name: 'a' } as never);
    await server.stop(0);
    expect((await call('training.get_status', { job_id: 'a' })).error).toMatchObject({ code: -32053, data: { retryable: true } });
    const token = { name: 'gateway-work.token', token: 'gateway', scopes: ['train', 'read'] as const };
    const only = new Authenticator({ fixed: [{ ...token, only: new Set(['getJob']) }], now: Date.now });
    server = await startServer({
      services: [{ ...adminService(backend), guard: guardOf(only, ADMIN_SCOPES) }],
    });
    expect((await call('training.get_status', { job_id: 'a' })).result.status).toBe('queued');
    // What its token is not for, it may not.
    expect((await call('training.cancel', { job_id: 'a' })).error.code).toBe(-32003);
  });
});
