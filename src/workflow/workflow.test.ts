import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VirtualClock } from '../clock/virtual.ts';
import { defineFlow, defineTool, ToolError } from '../flow/define.ts';
import { scriptedModel } from '../model/testing/scripted-model.ts';
import { runBatch } from './batch.ts';
import { modelNamed } from './current-models.ts';
import { defineWorkflow } from './define-workflow.ts';
import { runFlow } from './run-flow.ts';
import { runWorkflow } from './run-workflow.ts';

interface Counter {
  at: number;
  said: string;
}
const tool = defineTool<Counter>();

/** A flow that is no conversation: it counts to its target. */
const counting = defineFlow<{ id: string; to: number }, Counter>({
  name: 'counting',
  description: 'Counts to a number.',
  task: z.object({ id: z.string(), to: z.int() }),
  load: () => ({ tasks: [{ id: 'a', to: 2 }] }),
  features: {},
  tools: {
    add: tool({
      description: 'Adds a number.',
      input: z.object({ by: z.int() }),
      arguments: () => ({ by: 1 }),
      async run({ by }, memory) {
        if (by < 0) throw new ToolError('it only goes up');
        memory.said = (await modelNamed('helper').generate({ messages: [{ role: 'user', content: 'Say it' }] })).text;
        return (memory.at += by);
      },
    }),
    stop: tool({ description: 'Ends.', input: z.object({}), arguments: () => ({}), run: () => 'ok' }),
  },
  remember: () => ({ at: 0, said: '' }),
  plan: ({ at }) => ({
    text: `The number is ${at}.`,
    items: [],
    actions: at < 2 ? [{ tool: 'add' }] : [{ tool: 'add' }, { tool: 'stop' }],
  }),
  verify: (_memory, outcome) => (outcome.tool === 'stop' ? 'stop' : 'continue'),
  maxSteps: () => 6,
  answer: ({ at, said }) => ({ at, said }),
  reward: ({ to }, answer) => ((answer as { at: number }).at === to ? 1 : 0),
});

describe('a flow without training', () => {
  const helper = scriptedModel(['hello']);
  const task = { id: 'a', to: 2 };

  it('a model is shown each plan in words, calls open tools, and hears of its mistakes', async () => {
    const planner = scriptedModel([
      { calls: [{ tool: 'add', arguments: { by: -1 } }] },
      { calls: [{ tool: 'stop', arguments: {} }] },
      { calls: [{ tool: 'add', arguments: '{"by": ' }] },
      { text: 'I add two.', calls: [{ tool: 'add', arguments: { by: 2 } }] },
      { calls: [{ tool: 'stop', arguments: {} }] },
    ]);
    const result = await runFlow(counting, task, {
      models: { planner, helper },
      score: true,
      temperature: 0,
      context: undefined,
    });
    expect(result).toMatchObject({ answer: { at: 2, said: 'hello' }, ended: 'done', outcome: 1, models: { calls: 6 } });
    expect(result.steps.map(({ error }) => error)).toEqual([true, true, true, false, false]);
    const last = planner.calls.at(-1)!.request;
    expect(last.messages.map(({ role }) => role).slice(0, 4)).toEqual(['system', 'user', 'assistant', 'tool']);
    expect(last).toMatchObject({ toolChoice: 'required', temperature: 0 });
    expect(last.messages.find(({ role }) => role === 'tool')!.content).toBe('Error: it only goes up');
    expect(planner.calls[0]!.request.tools!.map(({ name }) => name)).toEqual(['add']);
  });

  it('says which model is missing, what is wrong with a task, and that a model failed', async () => {
    await expect(runFlow(counting, task)).rejects.toThrow(/model 'planner', and none is given/);
    await expect(runFlow(counting, { id: 'a', to: 'x' } as never)).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'task',
    });
    const planner = scriptedModel([{ fault: { status: 500 } }]);
    await expect(runFlow(counting, task, { models: { planner } })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('a model that is not given to a tool is a failure of the run that names it', async () => {
    const planner = scriptedModel([{ calls: [{ tool: 'add', arguments: { by: 1 } }] }]);
    await expect(runFlow(counting, task, { models: { planner } })).rejects.toThrow(/model 'helper', and given are planner/);
  });
});

describe('a workflow', () => {
  it('runs a step when those before it have ended, and independent ones at the same time', async () => {
    const clock = new VirtualClock();
    const wait = (ms: number) => async (): Promise<number> => {
      await clock.sleep(ms);
      return ms;
    };
    const workflow = defineWorkflow<string>({
      name: 'w',
      steps: {
        slow: { run: wait(100) },
        quick: { run: wait(10) },
        both: { after: ['slow', 'quick'], run: ({ results, input }) => `${input} ${results['slow'] + results['quick']}` },
      },
    });
    const result = await clock.run(runWorkflow(workflow, 'in', { clock }));
    expect(result.answer).toBe('in 110');
    expect(result.steps.map(({ name, ms }) => [name, ms])).toEqual([
      ['quick', 10],
      ['slow', 100],
      ['both', 0],
    ]);
  });

  it('tries a step again that may be, and stops the others when one fails for good', async () => {
    const clock = new VirtualClock();
    let tries = 0;
    let stopped = false;
    const workflow = defineWorkflow<null>({
      name: 'w',
      steps: {
        flaky: {
          retries: 2,
          run() {
            if (++tries < 3) throw new Error('not yet');
            return 'now';
          },
        },
        fails: { after: ['flaky'], run: () => Promise.reject(new Error('broken')) },
        long: { run: ({ signal }) => clock.sleep(1e6, signal).catch(() => void (stopped = true)) },
      },
    });
    await expect(clock.run(runWorkflow(workflow, null, { clock }))).rejects.toThrow("step 'fails': broken");
    expect([tries, stopped]).toEqual([3, true]);
    expect(clock.monotonic()).toBe(1500);
  });

  it('has flows as steps', async () => {
    const planner = scriptedModel([
      { calls: [{ tool: 'add', arguments: { by: 2 } }] },
      { calls: [{ tool: 'stop', arguments: {} }] },
    ]);
    const workflow = defineWorkflow<number>({
      name: 'w',
      steps: { count: { flow: counting, model: 'counter', task: ({ input }) => ({ id: 'a', to: input }) } },
    });
    const models = { counter: planner, helper: scriptedModel(['hi']) };
    expect(await runWorkflow(workflow, 2, { models })).toMatchObject({ answer: { at: 2, said: 'hi' }, models: { calls: 3 } });
  });

  const run = (): number => 1;
  it.each([
    [{}, /must have at least one step/],
    [{ a: {} }, /steps\.a must have one of run, model and flow/],
    [{ a: { run, after: ['b'] } }, /steps\.a\.after names 'b'/],
    [{ a: { run, retries: -1 } }, /steps\.a\.retries/],
    [{ a: { run, after: ['b'] }, b: { run, after: ['a'] } }, /wait for each other: a → b → a/],
  ])('is refused with what is wrong: %j', (steps, problem) => {
    expect(() => defineWorkflow({ name: 'w', steps: steps as never })).toThrow(problem);
  });

  it('checks its input', async () => {
    const workflow = defineWorkflow({
      name: 'w',
      input: z.object({ n: z.number() }),
      steps: { a: { run: ({ input }) => input.n } },
    });
    await expect(runWorkflow(workflow, { n: 'x' } as never)).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'input.n',
    });
  });
});

it('a batch runs some tasks at a time, and one that fails stops no other', async () => {
  let open = 0;
  let most = 0;
  const ended: number[] = [];
  const results = await runBatch(
    [1, 2, 3, 4, 5],
    async (task) => {
      most = Math.max(most, ++open);
      await Promise.resolve();
      open -= 1;
      if (task === 3) throw new Error('three');
      return task * 10;
    },
    { concurrency: 2, onResult: (_, done) => ended.push(done) },
  );
  expect(results.map((each) => ('error' in each ? each.error.message : each.result))).toEqual([10, 20, 'three', 40, 50]);
  expect([most, ended]).toEqual([2, [1, 2, 3, 4, 5]]);
});
