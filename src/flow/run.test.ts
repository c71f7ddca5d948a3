import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VirtualClock } from '../clock/virtual.ts';
import { FailureClass, Termination } from '../gen/millrace/v1/flow_pb.ts';
import { choice } from '../policy/decision.ts';
import { seededRandom } from '../random/seeded.ts';
import { ToolError, type Plan } from './define.ts';
import { parcelFlow, type ParcelBehaviour } from './fixtures/parcels.ts';
import { nothingPlanner, rulePlanner, type Planner } from './planner.ts';
import { runFlow, type FlowRun } from './run.ts';

const TASK = { id: 't', parcels: ['a', 'b'] };

/** Runs the parcel flow with its rule planner, or a list of action indices. */
async function run(behaviour: ParcelBehaviour = {}, actions?: number[], signal?: AbortSignal): Promise<FlowRun> {
  const flow = parcelFlow(behaviour);
  const clock = new VirtualClock();
  const script: Planner = {
    choose: ({ step }) => ({ decision: choice(actions![step]!), logProbability: -1, entropy: 1 }),
  };
  const planner = actions === undefined ? rulePlanner(flow) : script;
  return clock.run(runFlow({ flow, task: TASK, context: undefined, planner, random: seededRandom(1), clock, signal }));
}

describe('runFlow', () => {
  it('plans, executes, verifies and answers', async () => {
    const result = await run();
    expect(result).toMatchObject({ termination: Termination.DONE, failure: undefined, toolErrors: 0 });
    expect(JSON.parse(result.answerJson)).toEqual({ stamped: [0, 1], log: ['0:stamp(0)', '1:stamp(1)', '2:leave()'] });
    expect(result.steps).toMatchObject([
      { tool: 'stamp', items: [0], arguments: '{"parcel":0}', result: '{"stamped":1}', error: false, openActions: 3 },
      { tool: 'stamp', items: [1], arguments: '{"parcel":1}', result: '{"stamped":2}' },
      { tool: 'leave', items: [], arguments: '{}', result: 'bye' },
    ]);
  });

  it('ends at the step limit, when nothing is open, and when the planner stops', async () => {
    expect(await run({ maxSteps: () => 2 })).toMatchObject({ termination: Termination.STEP_LIMIT, steps: { length: 2 } });
    const nothingOpen = await run({ plan: () => ({ items: [], actions: [] }) });
    expect(nothingOpen).toMatchObject({ termination: Termination.NO_ACTION, steps: [], answerJson: '{"stamped":[],"log":[]}' });
    const clock = new VirtualClock();
    const options = {
      flow: parcelFlow(),
      task: TASK,
      context: undefined,
      planner: nothingPlanner,
      random: seededRandom(1),
      clock,
    };
    expect(await runFlow(options)).toMatchObject({ termination: Termination.DONE, steps: [] });
  });

  it('gives remember the task and the context', async () => {
    const flow = parcelFlow({
      remember: (task, context) => ({ parcels: [...task.parcels, String(context)], stamped: new Set(), log: [] }),
    });
    const clock = new VirtualClock();
    const planner = rulePlanner(flow);
    const result = await runFlow({ flow, task: TASK, context: 'c', planner, random: seededRandom(1), clock });
    expect(JSON.parse(result.answerJson)).toMatchObject({ stamped: [0, 1, 2] });
  });
});

describe('a step whose tool says the call was wrong', () => {
  it('is data: the flow goes on', async () => {
    const result = await run({}, [0, 0, 1, 2]);
    expect(result).toMatchObject({ termination: Termination.DONE, failure: undefined, toolErrors: 1 });
    expect(result.steps[1]).toMatchObject({ error: true, result: 'parcel 0 has a stamp' });
    expect(JSON.parse(result.answerJson).log).toContain('1:stamp(0)!');
  });

  it.each([
    ['thrown by an asynchronous tool', { stamp: () => Promise.reject(new ToolError('no such parcel')) }, 'no such parcel'],
    [
      'from another copy of the class',
      {
        stamp: () => {
          throw Object.assign(new Error('other copy'), { name: 'ToolError' });
        },
      },
      'other copy',
    ],
  ])('%s', async (_, behaviour: ParcelBehaviour, message) => {
    const result = await run(behaviour, [0, 2]);
    expect(result).toMatchObject({ failure: undefined, toolErrors: 1, steps: [{ error: true, result: message }, {}] });
  });

  it('because the executor filled in what the schema refuses, or could not fill it in', async () => {
    const flow = parcelFlow();
    const stamp = flow.tools['stamp']!;
    const schema = { stamp: { ...stamp, arguments: () => ({ parcel: -1 }) }, leave: flow.tools['leave']! };
    const refused = await run({ tools: schema }, [0, 2]);
    expect(refused.failure).toBeUndefined();
    expect(refused.steps[0]).toMatchObject({ error: true, arguments: '{"parcel":-1}' });
    expect(refused.steps[0]!.result).toMatch(/^parcel: expected a number of at least 0/);
    const throws = {
      ...schema,
      stamp: {
        ...stamp,
        arguments: () => {
          throw new ToolError('nothing to stamp');
        },
      },
    };
    expect((await run({ tools: throws }, [0, 2])).steps[0]).toMatchObject({
      error: true,
      result: 'nothing to stamp',
      arguments: '',
    });
  });
});

describe('an infrastructure failure', () => {
  const crash = (): never => {
    throw new TypeError('broken');
  };
  const plan = (part: Partial<Plan>): ParcelBehaviour => ({ plan: () => ({ items: [], actions: [{ tool: 'leave' }], ...part }) });
  const flows: [string, FailureClass, RegExp, ParcelBehaviour][] = [
    ['tool throws', FailureClass.TOOL_CRASH, /tools\.stamp\.run: TypeError: broken \(run\.test\.ts:\d+\)/, { stamp: crash }],
    [
      'tool rejects',
      FailureClass.TOOL_CRASH,
      /tools\.stamp\.run: Error: later/,
      { stamp: () => Promise.reject(new Error('later')) },
    ],
    [
      'tool hangs',
      FailureClass.TOOL_TIMEOUT,
      /'stamp' did not answer within 50 ms/,
      { toolTimeoutMs: 50, stamp: () => new Promise(() => undefined) },
    ],
    ['remember', FailureClass.FLOW_CRASH, /^remember: TypeError: broken/, { remember: crash }],
    ['plan', FailureClass.FLOW_CRASH, /^plan: TypeError: broken/, { plan: crash }],
    ['verify', FailureClass.FLOW_CRASH, /^verify: TypeError: broken/, { verify: crash }],
    [
      'verify, nonsense',
      FailureClass.FLOW_CRASH,
      /^verify: must return 'continue', 'stop' or \{ next, verified \}, got true/,
      { verify: () => true as never },
    ],
    ['answer', FailureClass.FLOW_CRASH, /^answer: TypeError: broken/, { answer: crash }],
    [
      'answer, not JSON',
      FailureClass.FLOW_CRASH,
      /^answer: must return something that JSON can hold/,
      { answer: () => undefined as never },
    ],
    [
      'answer, that the reward would see changed',
      FailureClass.FLOW_CRASH,
      /^answer: must return something that JSON can hold: \$\.total: NaN is not a JSON number/,
      { answer: () => ({ total: NaN }) },
    ],
    [
      'answer, too long',
      FailureClass.FLOW_CRASH,
      /^answer: is 65538 characters .* at most 65536/,
      { answer: () => 'x'.repeat(65_536) },
    ],
    [
      'maxSteps',
      FailureClass.FLOW_CRASH,
      /^maxSteps: RangeError: must be an integer of at least 1, got 0/,
      { maxSteps: () => 0 },
    ],
    ['rule', FailureClass.FLOW_CRASH, /^rule: TypeError: broken/, { rule: crash }],
    [
      'asynchronous plan',
      FailureClass.FLOW_CRASH,
      /^plan: returned a promise/,
      { plan: () => Promise.reject(new Error('x')) as never },
    ],
    ['no list', FailureClass.FLOW_CRASH, /^plan\.actions: must be a list/, plan({ actions: undefined as never })],
    [
      'unknown tool',
      FailureClass.FLOW_CRASH,
      /^plan\.actions\[0\]\.tool: there is no tool 'fly'; the flow has stamp, leave/,
      plan({ actions: [{ tool: 'fly' }] }),
    ],
    [
      'missing pointer',
      FailureClass.FLOW_CRASH,
      /^plan\.actions\[0\]\.items: 'stamp' takes 1 pointer\(s\), got 0/,
      plan({ actions: [{ tool: 'stamp' }] }),
    ],
    [
      'bad pointer',
      FailureClass.FLOW_CRASH,
      /^plan\.actions\[0\]\.items: there is no item 3; the plan has 0/,
      plan({ actions: [{ tool: 'stamp', items: [3] }] }),
    ],
    [
      'unknown flag',
      FailureClass.FLOW_CRASH,
      /^plan\.flags\.right: features\.state does not declare it; declared: left/,
      plan({ flags: { right: 1 } }),
    ],
    [
      'NaN flag',
      FailureClass.FLOW_CRASH,
      /^plan\.items\[0\]\.flags\.stamped: .* got NaN/,
      plan({ items: [{ flags: { stamped: NaN } }] }),
    ],
    [
      'flag beyond float32',
      FailureClass.FLOW_CRASH,
      /^plan\.actions\[0\]\.flags\.useful: .* got 1e\+300/,
      plan({ actions: [{ tool: 'leave', flags: { useful: 1e300 } }] }),
    ],
    ['at without text', FailureClass.FLOW_CRASH, /^plan\.items\[0\]\.at: points into plan\.text/, plan({ items: [{ at: 0 }] })],
    [
      'bad at',
      FailureClass.FLOW_CRASH,
      /^plan\.items\[0\]\.at: must be the index of a word/,
      plan({ text: 'x', items: [{ at: -1 }] }),
    ],
  ];
  it.each(flows)('%s', async (_, failure, message, behaviour) => {
    const result = await run(behaviour);
    expect(result.failure).toMatchObject({ class: failure, message: expect.stringMatching(message) as string });
    expect(result).toMatchObject({ termination: Termination.UNSPECIFIED, answerJson: '' });
  });

  it('aborts the signal of a tool that is late', async () => {
    let reason: unknown;
    await run({
      toolTimeoutMs: 10,
      stamp: (_call, _memory, signal) => new Promise(() => signal.addEventListener('abort', () => (reason = signal.reason))),
    });
    expect(reason).toMatchObject({ code: 'deadline_exceeded' });
  });

  it('keeps a tool that answers in time, and what it recorded of results JSON cannot hold', async () => {
    const clock = new VirtualClock();
    const flow = parcelFlow({ toolTimeoutMs: 100, stamp: async () => clock.sleep(99).then(() => 10n) });
    const planner: Planner = { choose: ({ step }) => ({ decision: choice([0, 2][step]!), logProbability: 0, entropy: 0 }) };
    const result = await clock.run(runFlow({ flow, task: TASK, context: null, planner, random: seededRandom(1), clock }));
    expect(result.failure).toBeUndefined();
    expect(result.steps[0]).toMatchObject({ result: '[object BigInt]', toolUs: 99_000 });
    expect(result.endedAt - result.startedAt).toBe(99_000);
  });
});

describe('stopping', () => {
  it('rejects with `cancelled` between steps and inside an asynchronous tool', async () => {
    const abort = new AbortController();
    const stopped = run({ verify: () => (abort.abort(), 'continue') }, undefined, abort.signal);
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    const inTool = new AbortController();
    let told = false;
    const stamp: ParcelBehaviour['stamp'] = (_call, _memory, signal) => {
      signal.addEventListener('abort', () => (told = true));
      queueMicrotask(() => inTool.abort());
      return new Promise(() => undefined);
    };
    await expect(run({ stamp }, undefined, inTool.signal)).rejects.toMatchObject({ code: 'cancelled' });
    expect(told).toBe(true);
  });
});

it('cuts long arguments and results', async () => {
  const result = await run({ stamp: () => 'x'.repeat(10_000) }, [0, 2]);
  expect(result.steps[0]!.result).toHaveLength(4000);
});

it('lets transforms of the input schema reach the tool', async () => {
  const flow = parcelFlow();
  const input = z.object({ parcel: z.int().transform((n) => n + 1) });
  const seen: unknown[] = [];
  const stamp = { ...flow.tools['stamp']!, input, run: (call: unknown) => seen.push(call) };
  await run({ tools: { stamp, leave: flow.tools['leave']! } }, [0, 2]);
  expect(seen).toEqual([{ parcel: 1 }]);
});
