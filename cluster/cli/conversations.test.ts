import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { CharPolicy, writes } from '../../src/flow/fixtures/char-policy.ts';
import { callsText, ChatSituations, readChat } from '../../src/flow/fixtures/chat-policy.ts';
import { deskAgent, TASK } from '../../src/flow/fixtures/order-desk.ts';
import { runGroup } from '../../src/flow/group.ts';
import { rulePlanner } from '../../src/flow/planner.ts';
import { fixedPolicy } from '../../src/flow/policies.ts';
import { runFlow } from '../../src/flow/run.ts';
import { Agent, Purpose, RolloutRequestSchema } from '../../src/gen/millrace/v1/training_pb.ts';
import { scriptedInference } from '../../src/policy/inference/scripted.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { encodeRows } from '../../src/records/encode.ts';
import { openEmbeddedStore } from '../../src/store/embedded.ts';
import { exportLines } from '../../src/store/export/export.ts';
import { stepRow, trajectoryRow } from '../../src/store/fixtures.ts';
import type { Store } from '../../src/store/store.ts';
import { defineDemonstrations } from '../../src/tasks/demonstrations/define.ts';
import { loadTasks } from '../../src/tasks/load.ts';
import { writeConversations } from './conversations.ts';
import { exportInit } from './export-request.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-conversations-'));
let store: Store;
beforeAll(async () => {
  store = await openEmbeddedStore({ path: join(folder, 'store') });
  await store.migrate();
}, 60_000);
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const list = callsText(['list_orders', {}]);
const both = `Both.\n${callsText(['refund', { order: 'b8' }], ['refund', { order: 'c9' }])}`;

/** Stores a trajectory of an agent that says this. */
async function said(id: string, ...script: string[]): Promise<void> {
  const clock = new VirtualClock();
  const request = create(RolloutRequestSchema, {
    ...{ id, job: 'desk', purpose: Purpose.TRAIN, agent: Agent.POLICY, taskId: 't', groupSize: 1, seed: 3, temperature: 1 },
    taskJson: JSON.stringify(TASK),
  });
  const inference = scriptedInference({ generations: script.map((text) => writes(text)) });
  const actor = { situations: () => new ChatSituations(), policy: () => new CharPolicy(), read: readChat };
  const policy = { source: fixedPolicy(new CharPolicy(), 2), actor, inference };
  const flow = deskAgent({ maxTurns: script.length }) as never;
  const { stepRows } = await clock.run(runGroup({ request, flow, context: undefined, node: 'n', clock, policy }));
  await store.insert('steps', stepRows, id);
  await found(`${id}:0`);
}

async function found(trajectory_id: string): Promise<void> {
  await store.insert(
    'trajectories',
    encodeRows('trajectories', [trajectoryRow({ job: 'desk', trajectory_id, task_id: 't' })]),
    trajectory_id,
  );
}

/** The conversations of the job, as lines, and what was left out. */
async function conversations(): Promise<{ lines: Record<string, unknown>[]; leftOut: string[] }> {
  const [from, to] = [join(folder, 'exported.jsonl'), join(folder, 'conversations.jsonl')];
  const parts: Uint8Array[] = [];
  const request = { format: 'jsonl' as const, steps: false, filter: { job: 'desk' }, cursor: undefined, chunkBytes: 100_000 };
  for await (const { data } of exportLines(store, request as never)) parts.push(data);
  writeFileSync(from, Buffer.concat(parts));
  const { leftOut } = await writeConversations(from, to);
  const lines = readFileSync(to, 'utf8').split('\n').filter(Boolean);
  return { lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), leftOut };
}

describe('conversations from the store', () => {
  it('are what an agent said and what its tools answered, and can be imitated', async () => {
    await said('a', list, both, 'Done.');
    const { lines, leftOut } = await conversations();
    const call = (id: string, name: string, args: object) => ({
      ...{ id, type: 'function' },
      function: { name, arguments: JSON.stringify(args) },
    });
    expect(leftOut).toEqual([]);
    expect(lines).toEqual([
      {
        ...{ id: 'a:0', task: 't' },
        messages: [
          { role: 'system', content: 'You run an order desk.' },
          { role: 'user', content: 'Refund the dear one.' },
          { role: 'assistant', content: '', tool_calls: [call('call_0_0', 'list_orders', {})] },
          { role: 'tool', tool_call_id: 'call_0_0', content: '["a7","b8"]' },
          {
            ...{ role: 'assistant', content: 'Both.' },
            tool_calls: [call('call_1_0', 'refund', { order: 'b8' }), call('call_1_1', 'refund', { order: 'c9' })],
          },
          { role: 'tool', tool_call_id: 'call_1_0', content: 'refunded b8' },
          { role: 'tool', tool_call_id: 'call_1_1', content: 'Error: there is no order c9' },
          { role: 'assistant', content: 'Done.' },
        ],
      },
    ]);
    const flow = defineDemonstrations(deskAgent());
    const { tasks } = await loadTasks(flow, { data: join(folder, 'conversations.jsonl'), clock: new VirtualClock() });
    const clock = new VirtualClock();
    const common = { flow, context: undefined, planner: rulePlanner(flow), random: seededRandom(1), clock };
    const run = await clock.run(runFlow({ ...common, task: flow.task.parse(JSON.parse(tasks[0]!.json)) }));
    expect(run).toMatchObject({ answerJson: '1', failure: undefined });
    expect(run.steps).toHaveLength(3);
  });

  it('end with what the last calls answered, where a limit ended them', async () => {
    await said('b', list);
    const { messages } = (await conversations()).lines.find(({ id }) => id === 'b:0') as { messages: unknown[] };
    expect(messages.at(-1)).toEqual({ role: 'tool', tool_call_id: 'call_0_0', content: '["a7","b8"]' });
  });

  it('leave out, and count, what shows nothing that is worth it', async () => {
    const before = (await conversations()).lines;
    await said('c', list, both, 'Done.');
    await said('d', callsText(['pay', {}]), 'Done.');
    await store.insert('steps', encodeRows('steps', [stepRow({ job: 'desk', trajectory_id: 'e' })]), 'e');
    await found('e');
    const { lines, leftOut } = await conversations();
    expect(lines).toEqual(before);
    expect(leftOut.sort()).toEqual([
      '1 that say the same as another one of their task',
      '1 without a conversation to imitate: their policy chose among actions',
      '1 without a conversation to imitate: they hold calls that were not made',
    ]);
  });

  it('are of training and of success, where nothing else is asked for', () => {
    const { filter } = exportInit({ format: 'conversations' });
    expect(filter).toMatchObject({ purpose: Purpose.TRAIN, success: true });
    expect(exportInit({ format: 'conversations', purpose: 'evaluate', success: 'false' }).filter).toMatchObject({
      ...{ purpose: Purpose.EVALUATE, success: false },
    });
    expect(exportInit({ format: 'jsonl' }).filter).toMatchObject({ purpose: Purpose.UNSPECIFIED });
  });
});
