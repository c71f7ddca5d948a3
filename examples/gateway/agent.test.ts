import OpenAI from 'openai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../../cluster/gateway/testing-gateway.ts';
import { answer } from './agent.ts';

let gateway: TestGateway;
beforeAll(async () => void (gateway = await startTestGateway()));
afterAll(() => gateway?.close());

it('an agent that knows nothing of Millrace is recorded by its address and key alone', async () => {
  gateway.provider.setScript(({ request }) => {
    const last = request.messages.at(-1)!;
    if (last.role !== 'tool') return { calls: [{ tool: 'order_status', arguments: { order: 'A17' } }] };
    return `Your order was ${last.content}.`;
  });
  const apiKey = await gateway.key({ id: 'A17', question: 'Where is my order A17?' });
  const said = await answer('Where is my order A17?', new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey }));
  expect(said).toBe('Your order was sent on Monday.');
  const rows = await gateway.ended(2);
  expect(rows.map(({ finish_reason, task_id, shared_messages }) => [finish_reason, task_id, shared_messages])).toEqual([
    ['tool_calls', 'A17', 0],
    ['stop', 'A17', 2],
  ]);
  expect(new Set(rows.map((row) => row.trajectory_id)).size).toBe(1);
});
