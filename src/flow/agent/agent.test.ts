import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VirtualClock } from '../../clock/virtual.ts';
import { FailureClass, Termination } from '../../gen/millrace/v1/flow_pb.ts';
import type { Generation } from '../../policy/decision.ts';
import type { GenerateRequest } from '../../policy/inference/inference.ts';
import { scriptedInference } from '../../policy/inference/scripted.ts';
import { seededRandom } from '../../random/seeded.ts';
import { CharPolicy, writes } from '../fixtures/char-policy.ts';
import { callsText, ChatSituations, promptText, readChat, testFormat } from '../fixtures/chat-policy.ts';
import { DESK, deskAgent, TASK, type Desk, type DeskTask } from '../fixtures/order-desk.ts';
import { randomPlanner, rulePlanner, type Planner } from '../planner.ts';
import { runFlow, type FlowRun } from '../run.ts';
import { validateFlow } from '../validate.ts';
import { writingPlanner } from '../writing-planner.ts';
import type { AgentDefinition, AgentTurn } from './definition.ts';

interface Ran extends FlowRun {
  asked: GenerateRequest[];
  prompts: string[];
}

/** Runs the agent with a policy that writes these texts. */
async function run(
  script: readonly (string | Generation)[],
  parts: Partial<AgentDefinition<DeskTask, Desk>> = {},
  planner?: Planner,
): Promise<Ran> {
  const flow = deskAgent(parts);
  const asked: GenerateRequest[] = [];
  const scripted = scriptedInference({ generations: script.map((said) => (typeof said === 'string' ? writes(said) : said)) });
  const inference = { ...scripted, generate: (request: GenerateRequest) => (asked.push(request), scripted.generate(request)) };
  const lease = { version: 7, policy: new CharPolicy(), release: () => undefined };
  planner ??= writingPlanner({ table: new ChatSituations(), inference, lease, temperature: 0, read: readChat });
  const clock = new VirtualClock();
  const made = await clock.run(runFlow({ flow, task: TASK, context: null, planner, random: seededRandom(1), clock }));
  return { ...made, asked, prompts: made.steps.map(({ prompt }) => promptText(prompt)) };
}

const list = callsText(['list_orders', { above: 10 }]);
const refund = (order: string): string => callsText(['refund', { order }]);

describe('an agent', () => {
  it('has a conversation in which a call depends on the result before', async () => {
    const { prompts, ...result } = await run([list, refund('b8'), 'Your money is back.']);
    expect(result).toMatchObject({ failure: undefined, termination: Termination.DONE, toolErrors: 0 });
    expect(JSON.parse(result.answerJson)).toEqual({ refunded: ['b8'], text: 'Your money is back.' });
    expect(result.steps).toMatchObject([
      { tool: 'list_orders', arguments: '{"above":10}', result: '["b8"]', decision: { kind: 'generated', text: list } },
      { tool: 'refund', arguments: '{"order":"b8"}', result: 'refunded b8' },
      { tool: '', mistake: undefined, error: false, result: '' },
    ]);
    expect(prompts[0]).toMatch(/^<\|im_start\|>system\nYou run an order desk\.\n\nYou have these tools:/);
    expect(prompts[0]).toContain('"properties": {"above": {"type": "number"}}');
    expect(prompts[0]).toMatch(/<\|im_start\|>user\nRefund the dear one\.<\|im_end\|>\n<\|im_start\|>assistant\n$/);
    const response = '<|im_end|>\n<|im_start|>user\n<tool_response>\n["b8"]\n</tool_response><|im_end|>\n<|im_start|>assistant\n';
    expect(prompts[1]).toBe(`${prompts[0]}${list}${response}`);
    expect(prompts[2]!.startsWith(`${prompts[1]}${refund('b8')}<|im_end|>`)).toBe(true);
  });

  it('runs the calls of one message at the same time', async () => {
    let running = 0;
    let most = 0;
    const tools = DESK.tools.map((tool) => ({
      ...tool,
      run: async (...args: Parameters<typeof tool.run>) => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running -= 1;
        return tool.run(...args) as unknown;
      },
    }));
    const both = callsText(['list_orders', {}], ['refund', { order: 'b8' }]);
    const { prompts, steps, ...result } = await run([both, 'Done.'], { tools });
    expect(most).toBe(2);
    expect(JSON.parse(result.answerJson)).toMatchObject({ refunded: ['b8'] });
    expect(steps[0]).toMatchObject({ tool: 'list_orders', further: [{ tool: 'refund', result: 'refunded b8' }] });
    const results = '<tool_response>\n["a7","b8"]\n</tool_response>\n<tool_response>\nrefunded b8\n</tool_response>';
    expect(prompts[1]).toContain(results);
  });

  it.each<[string, string, string, string]>([
    ['what is not JSON', '<tool_call>{order: b8}</tool_call>', 'malformed_call', 'the call is not JSON: '],
    ['a tool that there is not', callsText(['pay', {}]), 'unknown_tool', "there is no tool 'pay'; open are list_orders, refund"],
    ['arguments that do not fit', callsText(['refund', { order: 8 }]), 'bad_arguments', 'order: expected text'],
    [
      'arguments that are none',
      '<tool_call>{"name": "refund", "arguments": 7}</tool_call>',
      'bad_arguments',
      'expected a section',
    ],
  ])('tells the policy of %s, which may try again', async (_, said, mistake, message) => {
    const { steps, prompts, ...result } = await run([said, refund('b8'), 'Done.']);
    expect(result).toMatchObject({ failure: undefined, termination: Termination.DONE, toolErrors: 1 });
    expect(steps[0]).toMatchObject({ mistake, error: true, result: expect.stringContaining(message) as string });
    expect(prompts[1]).toContain(`<tool_response>\nError: ${steps[0]!.result}\n</tool_response>`);
    expect(JSON.parse(result.answerJson)).toMatchObject({ refunded: ['b8'] });
  });

  it('tells it of what a tool refuses', async () => {
    const { prompts, toolErrors } = await run([refund('x9'), 'I give up.']);
    expect(toolErrors).toBe(1);
    expect(prompts[1]).toContain('<tool_response>\nError: there is no order x9\n</tool_response>');
  });

  it('tells it that a message was cut off, of which nothing is done', async () => {
    const { steps, prompts, ...result } = await run([writes(`${refund('a7')}<tool_c`, 'length'), 'Sorry.']);
    expect(steps[0]).toMatchObject({ mistake: 'cut_off', tool: '' });
    expect(prompts[1]).toContain('user\nError: the text is longer than allowed and was cut off<|im_end|>');
    expect(JSON.parse(result.answerJson)).toEqual({ refunded: [], text: 'Sorry.' });
  });

  it('ends after its turns', async () => {
    const result = await run([list, list, list], { maxTurns: 2 });
    expect(result).toMatchObject({ termination: Termination.STEP_LIMIT, steps: { length: 2 } });
    expect(JSON.parse(result.answerJson)).toEqual({ refunded: [], text: null });
    expect(await run([list], { maxTurns: () => 1 })).toMatchObject({ termination: Termination.STEP_LIMIT });
  });

  it('ends when its tokens are used up, and says beforehand how many are left', async () => {
    const budget = list.length + 10;
    const cut = writes('Let me loo', 'length');
    const { asked, ...result } = await run([list, cut], { tokenBudget: budget });
    expect(asked.map(({ maxTokens }) => maxTokens)).toEqual([budget, 10]);
    expect(result).toMatchObject({ termination: Termination.TOKEN_LIMIT, steps: { length: 2 }, failure: undefined });
    expect(await run([list, 'Just done.'], { tokenBudget: budget })).toMatchObject({ termination: Termination.DONE });
    expect((await run(['Hm.'])).asked[0]).not.toHaveProperty('maxTokens');
  });

  it('needs no tools', async () => {
    const result = await run(['Blue.'], { tools: [], answer: (_, text) => text });
    expect(result).toMatchObject({ termination: Termination.DONE, answerJson: '"Blue."' });
    expect(result.prompts[0]).not.toContain('tool');
    expect((await run([], { tools: [] }, randomPlanner)).termination).toBe(Termination.DONE);
  });

  it('is what any policy says, however hostile', async () => {
    const pieces = fc.constantFrom(
      ...[
        '<tool_call>',
        '</tool_call>',
        '<|im_end|>',
        '<|im_start|>system\n',
        '{"name": "refund", "arguments": ',
        '{"order": "b8"}',
        '}',
        '[',
        ']',
      ],
      ...[
        '"',
        '\\',
        '\ud800',
        '\0',
        '{"name": "__proto__"}',
        '{"name": "constructor", "arguments": {"__proto__": null}}',
        'x'.repeat(5000),
      ],
    );
    const text = fc.array(fc.oneof(pieces, fc.string()), { minLength: 1, maxLength: 12 }).map((all) => `${all.join('')}.`);
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 3, maxLength: 3 }), async (script) => {
        const result = await run(script, { maxTurns: 3 });
        expect(result.failure).toBeUndefined();
        // Whatever was said, the policy cannot speak for others.
        const last = result.prompts.at(-1)!;
        const written = result.steps.slice(0, -1).map(({ decision }) => (decision.kind === 'generated' ? decision.text : ''));
        const others = written.reduce((rest, said) => rest.replace(said, ''), last);
        expect(others.split('<|im_start|>system').length).toBe(2);
      }),
      { numRuns: 60 },
    );
  });

  it('does not answer for a tool that is broken, or for its own parts', async () => {
    const broken = { ...DESK.tools[0]!, run: () => JSON.parse('{') as unknown };
    expect((await run([list], { tools: [broken] })).failure).toMatchObject({ class: FailureClass.TOOL_CRASH });
    const wrong = (parts: object): Promise<FlowRun> => run([list], parts);
    for (const [parts, message] of [
      [{ messages: () => [{ role: 'boss', content: 'Go.' }] }, /messages\[0\] must be \{ role/],
      [{ verify: () => 'perhaps' }, /verify/],
      [{ verify: () => ({ next: 'continue', message: 7 }) }, /message must be a text/],
    ] as const) {
      const { failure } = await wrong(parts);
      expect(failure).toMatchObject({ class: FailureClass.FLOW_CRASH, message: expect.stringMatching(message) as string });
    }
  });
});

describe('modules of an agent', () => {
  it('its rule plays it, and shows how it is done', async () => {
    const { steps, ...result } = await run([], {}, rulePlanner(deskAgent()));
    expect(result).toMatchObject({ failure: undefined, termination: Termination.DONE });
    expect(JSON.parse(result.answerJson)).toEqual({ refunded: ['b8'], text: 'It is done.' });
    expect(steps.map(({ tool }) => tool)).toEqual(['list_orders', 'refund', '']);
  });

  it('chance chooses tools without arguments', async () => {
    const { steps } = await run([], { maxTurns: 4 }, randomPlanner);
    expect(new Set(steps.map(({ tool, error }) => `${tool} ${error}`))).toEqual(new Set(['list_orders false', 'refund true']));
  });

  it('its verifier sees each turn, and has a word', async () => {
    const turns: AgentTurn[] = [];
    const verify = ({ refunded }: Desk, turn: AgentTurn) => {
      turns.push(turn);
      if (turn.isAnswer && refunded.length === 0) return { next: 'continue', message: 'You refunded nothing.' } as const;
      return turn.isAnswer
        ? 'stop'
        : ({ next: 'continue', verified: turn.calls.every(({ error }) => error === undefined) } as const);
    };
    const { steps, prompts, ...result } = await run(['All done.', refund('b8'), 'Now it is.'], { verify });
    expect(prompts[1]).toMatch(/All done\.<\|im_end\|>\n<\|im_start\|>user\nYou refunded nothing\.<\|im_end\|>/);
    expect(steps.map(({ verified }) => verified)).toEqual([false, true, false]);
    expect(JSON.parse(result.answerJson)).toEqual({ refunded: ['b8'], text: 'Now it is.' });
    expect(turns).toMatchObject([
      { turn: 0, isAnswer: true, calls: [], content: 'All done.' },
      { turn: 1, isAnswer: false, calls: [{ tool: 'refund', arguments: { order: 'b8' }, result: 'refunded b8' }] },
      { turn: 2, isAnswer: true },
    ]);
  });

  it('its verifier may end it, and an answer ends it unless there is a word to say', async () => {
    expect(await run([list], { verify: () => 'stop' })).toMatchObject({ termination: Termination.DONE, steps: { length: 1 } });
    expect(await run(['Hm.'], { verify: () => 'continue' })).toMatchObject({ termination: Termination.DONE });
    const verified = await run(['Hm.'], { verify: () => ({ next: 'continue', verified: true }) });
    expect(verified).toMatchObject({ termination: Termination.DONE, steps: [{ verified: true }] });
  });

  it('its executor runs the calls', async () => {
    const seen: unknown[] = [];
    const execute: AgentDefinition<DeskTask, Desk>['execute'] = (call, _, tool) => (
      seen.push(call),
      call.tool === 'refund' ? 'dry run' : tool()
    );
    const { steps } = await run([list, refund('b8'), 'Done.'], { execute });
    expect(seen).toEqual([
      { tool: 'list_orders', arguments: { above: 10 } },
      { tool: 'refund', arguments: { order: 'b8' } },
    ]);
    expect(steps.map(({ result }) => result)).toEqual(['["b8"]', 'dry run', '']);
  });

  it('its generator is the answer by default, and memory an empty object', async () => {
    const flow = deskAgent({ memory: undefined, answer: undefined, rule: undefined } as unknown as Partial<typeof DESK>);
    expect(flow.remember(TASK, null).own).toEqual({});
    expect(flow).not.toHaveProperty('writingRule');
    expect(flow.answer({ ...flow.remember(TASK, null), answer: 'Yes.' })).toBe('Yes.');
  });
});

describe('the definition of an agent', () => {
  it('is a flow', () => {
    const flow = deskAgent({ observe: ({ refunded }) => ({ refunded }), maxTurns: 3, tokenBudget: 9, type: () => 'refund' });
    expect(validateFlow(flow)).toBe(flow);
    const memory = flow.remember(TASK, null);
    expect(flow.observe!(memory)).toEqual({ refunded: [] });
    expect(deskAgent().observe!(memory)).toBeNull();
    expect(flow.type!(TASK)).toBe('refund');
    expect(flow.plan(memory).conversation).toMatchObject({
      messages: [{ role: 'system' }, { role: 'user', content: TASK.question }],
      tools: [{ name: 'list_orders', parameters: { type: 'object' } }, { name: 'refund' }],
      maxTokens: 9,
    });
    expect(() => testFormat.prompt(flow.plan(memory).conversation!)).not.toThrow();
  });

  it.each<[string, object]>([
    ['tools[1].name', { tools: [DESK.tools[0], DESK.tools[0]] }],
    ['tools[0].run', { tools: [{ name: 'x', description: 'X.', input: z.object({}) }] }],
    ['tools[0]', { tools: [null] }],
    ['tools', { tools: {} }],
    ['instructions', { instructions: undefined }],
    ['messages', { messages: 'Hello' }],
    ['maxTurns', { maxTurns: 0 }],
    ['tokenBudget', { tokenBudget: 1.5 }],
    ['rule', { rule: 'none' }],
    ['prompt', { prompt: 'Hello' }],
  ])('refuses a wrong %s', (field, parts) => {
    expect(() => deskAgent(parts)).toThrow(expect.objectContaining({ code: 'invalid_argument', field }) as Error);
  });

  it.each(['tools.a b', 'tools.a.description', 'tools.a.input'])('refuses with the flow a wrong %s', (field) => {
    const tool = { name: field === 'tools.a b' ? 'a b' : 'a', description: 'A.', input: z.object({}), run: () => 1 };
    const broken = {
      ...tool,
      ...(field.endsWith('description') && { description: '' }),
      ...(field.endsWith('input') && { input: 7 }),
    };
    const flow = deskAgent({ tools: [broken as never] });
    expect(() => validateFlow(flow)).toThrow(expect.objectContaining({ field }) as Error);
  });
});
