import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MillraceError } from '../src/errors.ts';
import { AdminService } from '../src/gen/millrace/v1/admin_pb.ts';
import { createClient } from '../src/rpc/client.ts';
import { millraceToEnd } from './support/command.ts';
import { startTestCluster, type TestCluster } from './support/cluster.ts';

/* The gateway of a cluster of real processes, as its clients see it. */

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster({ learners: 1, rollouts: 1, gatewayPort: 0 });
});
afterAll(() => cluster?.end());

const url = (path: string): string => `${cluster.gatewayUrl}${path}`;
const credential = (name: string): string => readFileSync(join(cluster.stateDir, 'credentials', `${name}.token`), 'utf8').trim();
const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });
const as = (name: string): RequestInit => ({ headers: bearer(credential(name)) });

/** Status and code of an answer. */
async function answer(path: string, init?: RequestInit): Promise<[number, string | undefined]> {
  const response = await fetch(url(path), init);
  const text = await response.text();
  const body = response.headers.get('content-type') === 'application/json' ? (JSON.parse(text) as object) : {};
  return [response.status, (body as { error?: { code: string } }).error?.code];
}

/** A request that the client has begun: headers have gone out, and as much of the body as was written. */
function begun(
  path: string,
  headers: Record<string, string | number>,
): { request: ClientRequest; answer: Promise<IncomingMessage> } {
  const request = httpRequest(url(path), { method: 'GET', headers });
  const answer = new Promise<IncomingMessage>((resolve, reject) => request.once('response', resolve).once('error', reject));
  return { request, answer };
}

// Of many forms.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Answer = any;

/** Waits until the gateway answers. */
async function answering(): Promise<void> {
  const health = (): Promise<number> =>
    fetch(url('/healthz')).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(health, { timeout: 30_000 }).toBe(200);
}

const processOf = (): number | undefined => cluster.nodes().find(({ id }) => id === 'gateway')?.pid;

describe('the gateway of a cluster', () => {
  it('is a node with an address in the list', async () => {
    const { nodes } = await cluster.admin.listNodes({});
    const node = nodes.find(({ id }) => id === 'gateway')!;
    expect(node).toMatchObject({ roles: ['gateway'], address: '' });
    expect(node.labels).toMatchObject({ gateway: cluster.gatewayUrl, metrics: url('/metrics') });
  });

  it('says without a credential that it lives, has the page that asks for one, and nothing else', async () => {
    expect(await answer('/healthz')).toEqual([200, undefined]);
    expect(await (await fetch(url('/'))).text()).toMatch(/^<!doctype html>[\s\S]*<script /i);
    for (const path of ['/metrics', '/readyz', '/v1/jobs', '/healthz/x'])
      expect([path, await answer(path)]).toEqual([path, [401, 'unauthenticated']]);
  });

  it('gives metrics and readiness to the scopes that include them', async () => {
    const scraped = await fetch(url('/metrics'), as('gateway-metrics'));
    expect(await scraped.text()).toMatch(
      /^millrace_gateway_requests_total\{status="200",node="gateway",node_role="gateway"\} [1-9]/m,
    );
    for (const name of ['gateway-read', 'gateway-write', 'gateway-admin'])
      for (const path of ['/metrics', '/readyz']) expect(await answer(path, as(name))).toEqual([200, undefined]);
  });

  it('refuses scopes that are too small, and what is no token of its own', async () => {
    expect(await answer('/readyz', as('gateway-metrics'))).toEqual([403, 'permission_denied']);
    for (const name of ['admin', 'work', 'store', 'reader', 'writer'])
      expect(await answer('/metrics', as(name))).toEqual([401, 'unauthenticated']);
  });

  it('knows no other paths, and waits for no body of a GET', async () => {
    expect(await answer('/v1/jobs', as('gateway-admin'))).toEqual([404, 'not_found']);
    expect(await answer('/metrics', { ...as('gateway-admin'), method: 'POST' })).toEqual([405, 'unimplemented']);
    const headers = { ...bearer(credential('gateway-metrics')), 'content-length': 1024 * 1024 + 1 };
    const large = begun('/metrics', headers);
    large.request.flushHeaders();
    const response = await large.answer;
    expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
    large.request.destroy();
  });

  it('is there again, at its address, when it was killed', async () => {
    const pid = cluster.kill('gateway');
    await expect.poll(processOf, { timeout: 30_000 }).not.toBe(pid);
    await answering();
    expect(await answer('/readyz', as('gateway-read'))).toEqual([200, undefined]);
  });

  it('stops, also while clients keep their connections', async () => {
    const agent = new Agent({ keepAlive: true });
    const kept = await new Promise<IncomingMessage>((resolve, reject) =>
      httpRequest(url('/healthz'), { agent }).once('response', resolve).once('error', reject).end(),
    );
    kept.resume();
    const pid = processOf()!;
    process.kill(pid, 'SIGTERM');
    await expect.poll(processOf, { timeout: 30_000, interval: 20 }).not.toBe(pid);
    agent.destroy();
  });
});

describe('JSON-RPC of a cluster', () => {
  const call = async (method: string, params: object, token = 'gateway-write'): Promise<Answer> => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const { result, error } = (await (await fetch(url('/rpc'), { method: 'POST', body, ...as(token) })).json()) as Answer;
    return result ?? { error };
  };

  it('trains a registered agent on queries, and gives what came of it', async () => {
    // The test before has ended it.
    await answering();
    const flow = join('test', 'flows', 'queries.ts');
    const registered = await millraceToEnd(['agent', 'register', 'sorter', flow, '--state', cluster.stateDir, '-o', 'json']);
    expect(registered).toMatchObject({ code: 0 });
    expect(JSON.parse(registered.stdout)).toMatchObject({
      name: 'sorter',
      takesQueries: true,
      servedVersion: '',
      owner: 'local',
    });
    const training_data = ['ba', 'dc', 'fe', 'hg', 'ca', 'db'].map((query) => ({
      query,
      expected_outcome: [...query].sort().join(''),
    }));
    const config = { n_trajectories_per_query: 8, batch_size: 2, n_rounds: 2, job: { evaluation: { baselines: false } } };
    const { training_job_id: job_id } = await call('training.start_grpo', { agent_id: 'sorter', training_data, config });
    const ended = async (): Promise<string> => {
      const { status, progress } = await call('training.get_status', { job_id });
      return `${status} ${progress.error}`;
    };
    await expect.poll(ended, { timeout: 60_000 }).toMatch(/completed|failed/);
    expect(await ended()).toBe('completed null');
    // All rows of the job are in the answer, also of one that has ended just now.
    const exported = async (purpose: string): Promise<Answer[]> =>
      (await call('training.export_trajectories', { job_id, purpose, limit: 1000 })).trajectories;
    expect((await exported('train')).length).toBeGreaterThanOrEqual(2 * 2 * 8);
    expect(await exported('evaluate')).toHaveLength(1);
    const status = await call('training.get_status', { job_id }, 'gateway-read');
    expect(status).toMatchObject({
      progress: { round: 2, rounds: 2, fraction: 1 },
      best_checkpoint: { version: 2 },
    });
    const { checkpoint, evaluation } = status.best_checkpoint;
    const measured = await call('training.evaluate', { job_id, checkpoint, wait_seconds: 50 });
    expect(measured).toMatchObject({ checkpoint, status: 'completed', error: null, result: { policy_version: 2, tasks: 1 } });
    expect(measured.result).toEqual(evaluation);
    expect((await call('training.export_trajectories', { job_id }, 'gateway-metrics')).error).toMatchObject({
      code: 'permission_denied',
    });
    const { job } = await cluster.admin.getJob({ jobId: job_id });
    expect(job).toMatchObject({ agent: 'sorter' });
    const other = join('docs', 'shortest-flow', 'flow.ts');
    expect(await millraceToEnd(['agent', 'register', 'plain', other, '--state', cluster.stateDir])).toMatchObject({ code: 0 });
    expect((await call('training.start_grpo', { agent_id: 'plain', training_data })).error).toMatchObject({
      code: -32012,
      data: { field: 'training_data' },
    });
    const { stdout } = await millraceToEnd(['agent', 'list', '--state', cluster.stateDir, '-o', 'json']);
    expect((JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)).toEqual(['plain', 'sorter']);
  });
});

describe('a named credential', () => {
  const millrace = (...args: string[]): ReturnType<typeof millraceToEnd> =>
    millraceToEnd([...args, '--state', cluster.stateDir, '-o', 'json']);

  it('is taken by coordinator and gateway within seconds, and no more once it was revoked', async () => {
    const made = await millrace('credential', 'create', '--name', 'ana', '--scopes', 'train,read', '--owner', 'research');
    expect(made).toMatchObject({ code: 0 });
    const { token } = JSON.parse(made.stdout) as { token: string };
    const init = { headers: bearer(token) };
    await expect.poll(() => answer('/readyz', init), { timeout: 10_000 }).toEqual([200, undefined]);
    const admin = createClient(AdminService, cluster.address, { token });
    const listed = (): Promise<string> =>
      admin.listNodes({}).then(
        () => 'ok',
        (thrown: unknown) => MillraceError.from(thrown).code,
      );
    await expect.poll(listed, { timeout: 10_000 }).toBe('ok');
    await expect(admin.listCredentials({})).rejects.toMatchObject({ code: 'permission_denied' });

    const training_data = ['ba', 'dc', 'fe', 'hg', 'ca', 'db'].map((query) => ({ query, expected_outcome: query }));
    const body = { jsonrpc: '2.0', id: 1, method: 'training.start_grpo', params: { agent_id: 'sorter', training_data } };
    const started = await fetch(url('/rpc'), { method: 'POST', body: JSON.stringify(body), ...init });
    const { result, error } = (await started.json()) as Answer;
    expect(error).toBeUndefined();
    expect((await cluster.admin.getJob({ jobId: result.training_job_id })).job).toMatchObject({ owner: 'research' });
    await cluster.admin.cancelJob({ jobId: result.training_job_id });

    expect(await millrace('credential', 'revoke', 'ana')).toMatchObject({ code: 0 });
    await expect.poll(() => answer('/readyz', init), { timeout: 10_000 }).toEqual([401, 'unauthenticated']);
    await expect.poll(listed, { timeout: 10_000 }).toBe('unauthenticated');
    expect(JSON.parse((await millrace('credential', 'list')).stdout)).toMatchObject([{ name: 'ana', state: 'revoked' }]);
    admin.close();
  }, 60_000);
});
