import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../testing-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => void (gateway = await startTestGateway()));
afterAll(() => gateway?.close());

const ask = { model: 'small', messages: [{ role: 'user', content: 'hello' }] };
const create = (body: object) => gateway.post('/v1/sessions', { task: { id: 't1', question: 'why' }, ...body });

describe('a session', () => {
  it('of a job, or a recording, is a trajectory with a key', async () => {
    const { status, json } = await create({ job: 'support-1', split: 'validation' });
    expect([status, json]).toMatchObject([
      201,
      { job: 'support-1', split: 'validation', key: expect.stringMatching(/^mrs-/) as string },
    ]);
    expect(json['trajectory']).toBe(`support-1:0:session-${String(json['id'])}:1:0`);
    expect((await create({ recording: 'agent' })).json).toMatchObject({ recording: 'agent', split: 'train' });
  });

  it.each<[string, object, string]>([
    ['a job that there is not', { job: 'other' }, 'job'],
    ['a recording by the name of a job', { recording: 'support-1' }, 'recording'],
    ['both', { job: 'support-1', recording: 'x' }, 'job'],
    ['neither', {}, 'job'],
    ['a name that is none', { recording: 'A b' }, 'recording'],
    ['a split that there is not', { recording: 'x', split: 'dev' }, 'split'],
  ])('of %s is refused with the field', async (_, body, field) => {
    const { status, json } = await create(body);
    expect([404, 400]).toContain(status);
    expect(json).toMatchObject({ error: { param: field } });
  });

  it('has its key in this one answer: what is kept is a hash', async () => {
    const { json } = await create({ recording: 'agent' });
    const kept = await gateway.bus.kv('sessions').get(String(json['id']));
    expect(Buffer.from(kept!.value).toString()).not.toContain(String(json['key']).slice(-20));
  });

  it('opens calls with its key, and nothing else', async () => {
    const key = String((await create({ recording: 'agent' })).json['key']);
    expect((await gateway.call(key, ask)).status).toBe(200);
    for (const path of ['/v1/sessions', '/rpc', '/metrics']) {
      const method = path === '/metrics' ? 'GET' : 'POST';
      const init: RequestInit = { method, headers: { authorization: `Bearer ${key}` }, ...(method === 'POST' && { body: '{}' }) };
      expect([path, (await fetch(`${gateway.url}${path}`, init)).status]).toEqual([path, 403]);
    }
  });

  it.each(['token-of-administrators', 'mrs-nothing', `mrs-${'0'.repeat(32)}-${'A'.repeat(43)}`])(
    'is not opened by %s',
    async (credential) => {
      const response = await gateway.call(credential, ask);
      expect([401, 403]).toContain(response.status);
      expect(await response.json()).toMatchObject({ error: { message: expect.stringContaining('session') as string } });
    },
  );

  it('is over when it is finished: a row with its reward, and no more calls', async () => {
    const { json } = await create({ recording: 'done' });
    const id = String(json['id']);
    expect((await gateway.post(`/v1/sessions/${id}/reward`, { success: true })).json).toMatchObject({ reward: 1 });
    for (let again = 0; again < 2; again += 1)
      expect((await gateway.post(`/v1/sessions/${id}/finish`, {})).json).toMatchObject({
        reward: 1,
        finished_at: expect.any(String) as string,
      });
    expect((await gateway.call(String(json['key']), ask)).status).toBe(401);
    const rows = (await gateway.trajectories()).filter(({ job }) => job === 'done');
    expect(rows).toMatchObject([
      { trajectory_id: json['trajectory'], task_id: 't1', reward: 1, success: true, valid: true, purpose: 'serve' },
    ]);
  });

  it('takes a reward after its end, in the same row, and no second one', async () => {
    const id = String((await create({ recording: 'late' })).json['id']);
    await gateway.post(`/v1/sessions/${id}/finish`, {});
    const rows = async () => (await gateway.trajectories()).filter(({ job }) => job === 'late');
    expect(await rows()).toMatchObject([{ valid: false }]);
    expect((await gateway.post(`/v1/sessions/${id}/reward`, { reward: 0.5 })).status).toBe(200);
    expect((await gateway.post(`/v1/sessions/${id}/reward`, { reward: 0.5 })).status).toBe(200);
    const second = await gateway.post(`/v1/sessions/${id}/reward`, { reward: 0.75 });
    expect([second.status, second.json['error']]).toMatchObject([409, { type: 'invalid_request_error', code: 'already_exists' }]);
    const both = await gateway.post(`/v1/sessions/${id}/reward`, { reward: 1, success: true });
    expect([both.status, both.json['error']]).toMatchObject([
      400,
      { message: /expected one of reward and success, and not both/ },
    ]);
    expect(await rows()).toMatchObject([{ valid: true, reward: 0.5, success: false }]);
  });

  it('that has expired opens nothing', async () => {
    const key = String((await create({ recording: 'short', life_seconds: 1 })).json['key']);
    await expect.poll(async () => (await gateway.call(key, ask)).status, { timeout: 5000 }).toBe(401);
  });

  it.each(['nothing', '0'.repeat(32)])('by the id %s is not found', async (id) => {
    expect((await gateway.post(`/v1/sessions/${id}/finish`, {})).status).toBe(404);
  });
});
