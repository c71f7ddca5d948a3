import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { FailureClass, Termination } from '../gen/millrace/v1/flow_pb.ts';
import type { Generation } from '../policy/decision.ts';
import { scriptedInference } from '../policy/inference/scripted.ts';
import { seededRandom } from '../random/seeded.ts';
import { RetryLater, ToolError, type FlowDefinition, type Outcome } from '../index.ts';
import { CharPolicy, CharSituations, readChars, writes } from './fixtures/char-policy.ts';
import { parcelFlow, type ParcelBehaviour, type ParcelMemory, type ParcelTask } from './fixtures/parcels.ts';
import { HandBack } from './retry-later.ts';
import { rulePlanner, type Planner } from './planner.ts';
import { runFlow, type FlowRun } from './run.ts';
import { writingPlanner } from './writing-planner.ts';

const TASK = { id: 't', parcels: ['a', 'b', 'c'] };

/** A line that begins with `!` is a call, `!!` one that is broken. */
function readLines(tokens: readonly number[]) {
  const { text } = readChars(tokens);
  const calls = text.split('\n').flatMap((line) => {
    if (line.startsWith('!!')) return [{ problem: 'not JSON' }];
    return line.startsWith('!') ? readChars(Array.from(line.slice(1), (c) => c.charCodeAt(0))).calls : [];
  });
  return { text, calls, content: text.replaceAll(/^!.*$/gm, '').trim() };
}

interface Ran {
  run: FlowRun;
  outcomes: Outcome[];
}

async function run(script: readonly (string | Generation)[], behaviour: ParcelBehaviour = {}, planner?: Planner): Promise<Ran> {
  const outcomes: Outcome[] = [];
  const flow: FlowDefinition<ParcelTask, ParcelMemory> = parcelFlow({
    calls: 'any',
    verify: (_, outcome) => (outcomes.push(outcome), outcome.said?.calls.length === 0 ? 'stop' : 'continue'),
    ...behaviour,
  });
  const inference = scriptedInference({ generations: script.map((said) => (typeof said === 'string' ? writes(said) : said)) });
  const lease = { version: 7, policy: new CharPolicy(), release: () => undefined };
  planner ??= writingPlanner({ table: new CharSituations(), inference, lease, temperature: 1, read: readLines });
  const clock = new VirtualClock();
  const random = seededRandom(1);
  return { run: await clock.run(runFlow({ flow, task: TASK, context: null, planner, random, clock })), outcomes };
}

describe('a flow that takes any number of calls', () => {
  it('runs those of one text, and ends with a text without any', async () => {
    const { run: result, outcomes } = await run([
      'I stamp.\n!stamp {"parcel": 2}\n!fly {}\n!!\n!stamp {"parcel": "x"}\n!stamp {"parcel": 0}',
      'All is done.',
    ]);
    expect(result).toMatchObject({ failure: undefined, termination: Termination.DONE, toolErrors: 3 });
    expect(JSON.parse(result.answerJson)).toMatchObject({ stamped: [0, 2] });
    expect(result.steps).toHaveLength(2);
    expect(result.steps[0]).toMatchObject({
      ...{ tool: 'stamp', arguments: '{"parcel":2}', result: '{"stamped":1}', error: false, mistake: undefined },
      further: [
        { tool: '', mistake: 'unknown_tool', arguments: '{}', error: true },
        { tool: '', mistake: 'malformed_call', result: 'not JSON', error: true },
        { tool: 'stamp', mistake: 'bad_arguments', arguments: '{"parcel":"x"}', error: true },
        { tool: 'stamp', mistake: undefined, arguments: '{"parcel":0}', result: '{"stamped":2}', error: false },
      ],
    });
    expect(result.steps[1]).toMatchObject({ tool: '', mistake: undefined, error: false, further: [], result: '' });
    expect(outcomes[0]).toMatchObject({
      ...{ tool: 'stamp', arguments: { parcel: 2 }, result: { stamped: 1 }, step: 0 },
      said: {
        content: 'I stamp.',
        outcomes: [
          { tool: 'stamp', result: { stamped: 1 } },
          { tool: '', error: "there is no tool 'fly'; open are stamp, leave" },
          { tool: '', error: 'not JSON' },
          { tool: 'stamp', error: expect.stringContaining('parcel: ') as string },
          { tool: 'stamp', arguments: { parcel: 0 }, result: { stamped: 2 } },
        ],
      },
    });
    expect(outcomes[1]).toEqual({
      ...{ tool: '', items: [], step: 1 },
      said: { text: 'All is done.', content: 'All is done.', calls: [], outcomes: [], tokens: 12, finish: 'stop' },
    });
  });

  it('does nothing of a text that was cut off', async () => {
    const { run: result, outcomes } = await run([writes('!stamp {"parcel": 0}\n!stamp {"par', 'length'), 'Sorry.']);
    expect(JSON.parse(result.answerJson)).toMatchObject({ stamped: [] });
    expect(result.steps[0]).toMatchObject({ mistake: 'cut_off', tool: '', error: true });
    expect(outcomes[0]!.said!.outcomes).toEqual([{ tool: '', arguments: { parcel: 0 }, error: expect.any(String) as string }]);
  });

  it('waits for the calls that run beside one that breaks the flow', async () => {
    const ended: number[] = [];
    const { run: result } = await run(['!stamp {"parcel": 0}\n!stamp {"parcel": 1}\n!stamp {"parcel": 2}'], {
      stamp: async ({ parcel }) => {
        await Promise.resolve();
        if (parcel === 0) throw new TypeError('broken');
        if (parcel === 1) throw new ToolError('no');
        await Promise.resolve();
        ended.push(parcel);
      },
    });
    expect(result.failure).toEqual({ class: FailureClass.TOOL_CRASH, message: expect.stringContaining('broken') as string });
    expect(ended).toEqual([2]);
  });

  it('is handed back when one of the calls is to be made later', async () => {
    const stamp = ({ parcel }: { parcel: number }): void => {
      if (parcel === 1) throw new RetryLater({ afterMs: 5 });
    };
    await expect(run(['!stamp {"parcel": 0}\n!stamp {"parcel": 1}'], { stamp })).rejects.toBeInstanceOf(HandBack);
  });

  it('ends for lack of tokens where the verifier says so', async () => {
    const verify = () => ({ next: 'stop', reason: 'token_limit' }) as const;
    expect((await run(['!leave {}'], { verify })).run.termination).toBe(Termination.TOKEN_LIMIT);
    const wrong = (() => ({ next: 'stop', reason: 'tired' })) as never;
    expect((await run(['!leave {}'], { verify: wrong })).run.failure?.message).toContain("reason must be 'token_limit'");
  });

  it('is played by a rule that writes', async () => {
    const said = [
      { content: 'both', calls: [0, 1].map((parcel) => ({ tool: 'stamp', arguments: { parcel } })) },
      { content: 'done', calls: [] },
    ];
    const writingRule = () => said.shift()!;
    const { run: result, outcomes } = await run([], {}, rulePlanner({ name: 'parcels', writingRule }));
    expect(JSON.parse(result.answerJson)).toMatchObject({ stamped: [0, 1] });
    expect(outcomes[1]!.said).toEqual({ content: 'done', calls: [], outcomes: [], tokens: 0, finish: 'stop' });
    const wrong = { name: 'parcels', writingRule: () => ({ content: 'x', calls: ['stamp'] }) as never };
    expect((await run([], {}, rulePlanner(wrong))).run.failure?.message).toMatch(/writingRule.* must return \{ content/);
  });
});

it('several calls are a mistake in a flow that takes one at a time', async () => {
  const { run: result } = await run(['!leave {}\n!leave {}', '!leave {}'], {
    calls: 'one',
    verify: (_, { tool }) => (tool === 'leave' ? 'stop' : 'continue'),
  });
  expect(result.steps).toMatchObject([
    { mistake: 'several_calls', tool: '', result: 'the text calls 2 tools; call one at a time', error: true },
    { mistake: undefined, tool: 'leave' },
  ]);
});
