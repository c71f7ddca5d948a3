import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../clock/virtual.ts';
import { Termination } from '../../gen/millrace/v1/flow_pb.ts';
import { scriptedInference } from '../../policy/inference/scripted.ts';
import { seededRandom } from '../../random/seeded.ts';
import { loadTasks } from '../load.ts';
import { CharPolicy, writes } from '../../flow/fixtures/char-policy.ts';
import { callsText, ChatSituations, readChat } from '../../flow/fixtures/chat-policy.ts';
import { deskAgent } from '../../flow/fixtures/order-desk.ts';
import { rulePlanner, type Planner } from '../../flow/planner.ts';
import { runFlow, type FlowRun } from '../../flow/run.ts';
import { validateFlow } from '../../flow/validate.ts';
import { writingPlanner } from '../../flow/writing-planner.ts';
import { defineDemonstrations } from './define.ts';

const flow = defineDemonstrations(deskAgent());
const folder = mkdtempSync(join(tmpdir(), 'millrace-demonstrations-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const call = (name: string, args: unknown, id?: string) => ({
  ...(id !== undefined && { id }),
  ...{ type: 'function', function: { name, arguments: JSON.stringify(args) } },
});
const SYSTEM = { role: 'system', content: 'You run an order desk.' };
const USER = { role: 'user', content: 'Refund both.' };
const LISTS = { role: 'assistant', content: null, tool_calls: [call('list_orders', { above: 10 }, 'c1')] };
const LISTED = { role: 'tool', tool_call_id: 'c1', content: '["a7","b8"]' };
const REFUNDS = {
  role: 'assistant',
  content: 'Both.',
  tool_calls: [call('refund', { order: 'a7' }, 'c2'), call('refund', { order: 'b8' }, 'c3')],
};
// In another order than the calls.
const REFUNDED = [
  { role: 'tool', tool_call_id: 'c3', content: 'refunded b8' },
  { role: 'tool', tool_call_id: 'c2', content: 'Error: a7 is lost' },
];
const DONE = {
  role: 'assistant',
  content: [
    { type: 'text', text: 'Done, but ' },
    { type: 'text', text: 'for a7.' },
  ],
};
const WHY = { role: 'user', content: 'Why?' };
const BECAUSE = { role: 'assistant', content: 'It is lost.' };
const MESSAGES = [SYSTEM, USER, LISTS, LISTED, REFUNDS, ...REFUNDED, DONE, WHY, BECAUSE];

async function loaded(...lines: unknown[]): ReturnType<typeof loadTasks> {
  const data = join(folder, 'conversations.jsonl');
  writeFileSync(data, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return loadTasks(flow, { data, clock: new VirtualClock() });
}

async function run(planner: Planner): Promise<FlowRun> {
  const { tasks } = await loaded({ messages: MESSAGES });
  const task = flow.task.parse(JSON.parse(tasks[0]!.json));
  const clock = new VirtualClock();
  return clock.run(runFlow({ flow, task, context: undefined, planner, random: seededRandom(1), clock }));
}

function policy(...script: string[]): Planner {
  const lease = { version: 1, policy: new CharPolicy(), release: () => undefined };
  const inference = scriptedInference({ generations: script.map((text) => writes(text)) });
  return writingPlanner({ table: new ChatSituations(), inference, lease, temperature: 1, read: readChat });
}

const list = callsText(['list_orders', { above: 10 }]);

describe('demonstrations', () => {
  it('are a flow whose rule says what a conversation says, with the results that it holds', async () => {
    expect(validateFlow(flow).name).toBe('order-desk-demonstrations');
    const { steps, ...made } = await run(rulePlanner(flow));
    expect(made).toMatchObject({ failure: undefined, termination: Termination.DONE, answerJson: '1', toolErrors: 0 });
    const read = steps.map(({ messages }) => messages!.map(({ role, content }) => [role, content]));
    expect(read).toEqual([
      [
        ['system', 'You run an order desk.'],
        ['user', 'Refund both.'],
      ],
      [['tool', '["a7","b8"]']],
      [
        ['tool', 'Error: a7 is lost'],
        ['tool', 'refunded b8'],
      ],
      [['user', 'Why?']],
    ]);
    expect(steps.map(({ decision }) => 'content' in decision && decision.content)).toEqual([
      '',
      'Both.',
      'Done, but for a7.',
      'It is lost.',
    ]);
  });

  it('show the policy the tools as the agent does', async () => {
    const { tasks } = await loaded({ messages: MESSAGES });
    const conversation = (of: typeof flow, task: unknown) => of.plan(of.remember(task as never, undefined)).conversation;
    const agent = deskAgent();
    const task = { id: 't', question: 'x', orders: {}, refund: '' };
    expect(conversation(flow, flow.task.parse(JSON.parse(tasks[0]!.json)))!.tools).toEqual(
      conversation(agent as never, task)!.tools,
    );
  });

  it('end where a policy says something else, and are worth the turns until then', async () => {
    const both = (first: string, second: string) =>
      `Both.${callsText(['refund', { order: first }], ['refund', { order: second }])}`;
    const said = [list, both('b8', 'a7'), 'Done, but for a7.', 'It is lost.'];
    expect((await run(policy(...said))).answerJson).toBe('1');
    expect((await run(policy(...said.slice(0, 3), 'I do not know.'))).answerJson).toBe('0.75');
    const other = await run(policy(list, both('b8', 'c9')));
    expect(other).toMatchObject({ answerJson: '0.25', failure: undefined, toolErrors: 1 });
    expect(other.steps).toHaveLength(2);
    expect((await run(policy('Both.'))).answerJson).toBe('0');
  });

  it('name lines that have no id by their place, keep ids, and keep conversations of one task together', async () => {
    const { tasks } = await loaded({ messages: MESSAGES }, { id: 'mine', task: 'refund', messages: MESSAGES });
    expect(tasks.map(({ id, key }) => [id, key])).toEqual([
      ['conversation-1', 'conversation-1'],
      ['mine', 'refund'],
    ]);
  });

  const wrong: [what: string, line: unknown, problem: RegExp][] = [
    ['a line that is no object', 7, /field : expected|expected a section|expected an object/],
    [
      'another role',
      { messages: [{ role: 'bot', content: '' }] },
      /messages\[0\]\.role: expected system, developer, user, assistant or tool/,
    ],
    [
      'content that is no text',
      { messages: [{ role: 'user', content: 7 }] },
      /messages\[0\]\.content: expected a text, or parts of type text/,
    ],
    ['nothing to imitate', { messages: [USER] }, /messages: has no message of the assistant/],
    ['an open end', { messages: [USER, DONE, WHY] }, /messages: ends with a message of the user/],
    ['a message that says nothing', { messages: [USER, { role: 'assistant', content: '' }] }, /messages\[1\]: says nothing/],
    [
      'a call without a result',
      { messages: [USER, LISTS] },
      /messages\[1\]\.tool_calls\[0\]: no message of role tool answers it/,
    ],
    ['a result without a call', { messages: [USER, LISTED, DONE] }, /messages\[1\]\.role: follows no message of the assistant/],
    ['a result too many', { messages: [USER, LISTS, LISTED, LISTED] }, /messages\[3\]\.role: answers no call/],
    [
      'the system speaking late',
      { messages: [USER, DONE, SYSTEM, DONE] },
      /messages\[2\]\.role: messages of the system come first/,
    ],
    ['two answers in a row', { messages: [USER, DONE, DONE] }, /messages\[2\]\.role: two messages of the assistant in a row/],
    ['two users in a row', { messages: [USER, DONE, WHY, WHY, DONE] }, /messages\[3\]\.role: two messages of the user in a row/],
    [
      'an unknown tool',
      { messages: [USER, { role: 'assistant', tool_calls: [call('pay', {})] }, { role: 'tool', content: '' }] },
      /messages\[1\]\.tool_calls\[0\]\.function\.name: the agent has no such tool; its tools: list_orders, refund/,
    ],
    [
      'arguments that the tool refuses',
      { messages: [USER, { role: 'assistant', tool_calls: [call('refund', { order: 7 })] }, { role: 'tool', content: '' }] },
      /messages\[1\]\.tool_calls\[0\]\.function\.arguments: the tool does not take them: order: /,
    ],
    [
      'arguments that are not JSON',
      {
        messages: [
          USER,
          { role: 'assistant', tool_calls: [{ function: { name: 'refund', arguments: '{' } }] },
          { role: 'tool', content: '' },
        ],
      },
      /messages\[1\]\.tool_calls\[0\]\.function\.arguments: not JSON/,
    ],
    ['a weight of 0', { messages: [USER, { ...DONE, weight: 0 }] }, /messages\[1\]\.weight: expected 1/],
    [
      'a function_call',
      { messages: [USER, { role: 'assistant', content: '', function_call: {} }] },
      /messages\[1\]\.function_call: is not read: write it in tool_calls/,
    ],
    [
      'tools of another agent',
      { messages: MESSAGES, tools: [{ type: 'function', function: { name: 'pay' } }] },
      /tools\[0\]\.function\.name: the agent has no such tool/,
    ],
  ];
  it.each(wrong)('refuse %s, with line and field', async (_, line, problem) => {
    const refused = await loaded({ messages: MESSAGES }, line).catch((error: unknown) => error as Error);
    expect(refused).toBeInstanceOf(Error);
    expect((refused as Error).message).toMatch(/conversations\.jsonl:2/);
    expect((refused as Error).message).toMatch(problem);
  });

  it('need a file, and an agent', async () => {
    await expect(loadTasks(flow, { clock: new VirtualClock() })).rejects.toThrow(/data: name the file of conversations/);
    expect(() => defineDemonstrations({ ...deskAgent(), calls: 'one' })).toThrow(/give what defineAgent returned/);
  });
});
