/** What the store holds of conversations, and how people read them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { VirtualClock } from '../../clock/virtual.ts';
import { Agent, Purpose, RolloutRequestSchema, type TrajectoryGroup } from '../../gen/millrace/v1/training_pb.ts';
import { scriptedInference } from '../../policy/inference/scripted.ts';
import { encodeRows } from '../../records/encode.ts';
import { scoreStepRows } from '../../records/step-scores.ts';
import { openEmbeddedStore } from '../../store/embedded.ts';
import { stepRow, trajectoryRow } from '../../store/fixtures.ts';
import { namedQuery, queryParameters, queryText } from '../../store/queries.ts';
import type { Store } from '../../store/store.ts';
import { CharPolicy, writes } from '../fixtures/char-policy.ts';
import { callsText, ChatSituations, readChat } from '../fixtures/chat-policy.ts';
import { deskAgent, TASK } from '../fixtures/order-desk.ts';
import { runGroup } from '../group.ts';
import { fixedPolicy } from '../policies.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-agent-'));
let store: Store;
beforeAll(async () => {
  store = await openEmbeddedStore({ path: folder });
  await store.migrate();
}, 60_000);
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A group of one conversation. */
async function group(job: string, agent: Agent, script: readonly string[] = []): Promise<TrajectoryGroup> {
  const clock = new VirtualClock();
  const request = create(RolloutRequestSchema, {
    ...{
      id: `${job}:0:t:0`,
      job,
      purpose: agent === Agent.RULE ? Purpose.EVALUATE : Purpose.TRAIN,
      agent,
      taskId: 't',
      groupSize: 1,
      seed: 3,
      temperature: 1,
    },
    taskJson: JSON.stringify(TASK),
  });
  const inference = scriptedInference({ generations: script.map((text) => writes(text)) });
  const actor = { situations: () => new ChatSituations(), policy: () => new CharPolicy(), read: readChat };
  const policy = { source: fixedPolicy(new CharPolicy(), 2), actor, inference };
  const flow = deskAgent({
    maxTurns: 3,
    verify: (_, { isAnswer }) => (isAnswer ? { next: 'continue', message: 'Do it.' } : 'continue'),
  });
  return clock.run(runGroup({ request, flow: flow as never, context: undefined, node: 'worker-1', clock, policy }));
}

async function ask(job: string, trajectory: string): Promise<Record<string, unknown>[]> {
  const query = namedQuery('conversation');
  const { columns, rows } = await store.query(queryText(query, queryParameters(query, job, { trajectory })));
  return rows.map((row) => Object.fromEntries(columns.map((column, i) => [column.name, row[i]])));
}

const refund = callsText(['refund', { order: 'b8' }], ['pay', {}]);

it('keeps what was said, all calls, and the log-probabilities of tokens, before and after scoring', async () => {
  const { stepRows, trajectories } = await group('kept', Agent.POLICY, ['Hello.', callsText(['list_orders', {}]), refund]);
  expect(trajectories).toMatchObject([{ failureMessage: '', steps: 3, toolErrors: 1 }]);
  const scores = [0, 0.5, 1].map((reward) => ({ reward, advantage: reward - 0.5 }));
  await store.insert('steps', scoreStepRows(stepRows, scores), 'kept');
  const { rows } = await store.query(
    `SELECT tool, mistake, messages, further_calls, step_reward, advantage, length(token_log_probabilities) = tokens_out AND tokens_out = length(tokens),
       round(arraySum(token_log_probabilities) - log_probability, 2) FROM steps WHERE job = 'kept' ORDER BY step`,
  );
  const [first, second, third] = rows as [string, string, string, string[], number, number, number, number][];
  expect(JSON.parse(first![2])).toEqual([
    { role: 'system', content: 'You run an order desk.' },
    { role: 'user', content: 'Refund the dear one.' },
  ]);
  expect(JSON.parse(second![2])).toEqual([{ role: 'user', content: 'Do it.' }]);
  expect(JSON.parse(third![2])).toEqual([{ role: 'tool', tool: 'list_orders', content: '["a7","b8"]' }]);
  expect(third!.slice(0, 2)).toEqual(['refund', '']);
  expect(third![3].map((call) => JSON.parse(call) as unknown)).toEqual([
    {
      tool: '',
      mistake: 'unknown_tool',
      arguments: '{}',
      result: "there is no tool 'pay'; open are list_orders, refund",
      error: true,
    },
  ]);
  expect(rows.map((row) => row.slice(4))).toEqual(scores.map(({ reward, advantage }) => [reward, advantage, 1, 0]));
});

it('shows a conversation to people', async () => {
  await store.insert(
    'trajectories',
    encodeRows('trajectories', [trajectoryRow({ job: 'kept', trajectory_id: 'kept:0:t:0:0', success: false })]),
    'k',
  );
  const lines = await ask('kept', 'failed');
  expect(lines.map(({ step, role, tool, said }) => [step, role, tool, said])).toEqual([
    [0, 'system', '', 'You run an order desk.'],
    [0, 'user', '', 'Refund the dear one.'],
    [0, 'assistant', '', 'Hello.'],
    [1, 'user', '', 'Do it.'],
    [1, 'assistant', '', callsText(['list_orders', {}])],
    [2, 'tool', 'list_orders', '["a7","b8"]'],
    [2, 'assistant', '', refund],
    [2, 'tool', 'refund', 'refunded b8'],
    [2, 'tool', '', "there is no tool 'pay'; open are list_orders, refund"],
  ]);
  const assistant = lines.filter(({ role }) => role === 'assistant');
  expect(assistant.map(({ tokens_out }) => tokens_out)).toEqual(
    ['Hello.', callsText(['list_orders', {}]), refund].map(({ length }) => length),
  );
  expect(
    lines.filter(({ role }) => role !== 'assistant').every(({ tokens_in, tokens_out }) => tokens_in === 0 && tokens_out === 0),
  ).toBe(true);
});

it('shows flows that choose, and those whose rule writes, in the same way', async () => {
  const { stepRows, trajectories } = await group('rule', Agent.RULE);
  expect(trajectories).toMatchObject([{ failureMessage: '' }]);
  await store.insert('steps', stepRows, 'rule');
  const chosen = [0, 1].map((step) =>
    stepRow({ job: 'chosen', trajectory_id: 'c', step, tool: 'look', arguments: '{}', result: `r${step}` }),
  );
  await store.insert('steps', encodeRows('steps', chosen), 'chosen');
  for (const [job, trajectory_id] of [
    ['rule', 'rule:0:t:0:0'],
    ['chosen', 'c'],
  ] as const)
    await store.insert('trajectories', encodeRows('trajectories', [trajectoryRow({ job, trajectory_id })]), job);
  const said = async (job: string, id: string) =>
    (await ask(job, id)).map((line) => `${String(line['role'])}: ${String(line['said'])}`);
  expect(await said('chosen', 'c')).toEqual(['assistant: look {}', 'tool: r0', 'assistant: look {}', 'tool: r1']);
  expect((await said('rule', 'rule:0:t:0:0')).slice(1)).toEqual([
    'user: Refund the dear one.',
    'assistant: list_orders {"above":10}',
    'tool: ["b8"]',
    'assistant: This one.\nrefund {"order":"b8"}',
    'tool: refunded b8',
    'assistant: It is done.',
  ]);
});
