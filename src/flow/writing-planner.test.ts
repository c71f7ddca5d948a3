import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VirtualClock } from '../clock/virtual.ts';
import { explorationSchema, type ExplorationConfig } from '../config/job/exploration.ts';
import { FailureClass, Termination } from '../gen/millrace/v1/flow_pb.ts';
import type { Generation } from '../policy/decision.ts';
import type { GenerateRequest, Inference } from '../policy/inference/inference.ts';
import { scriptedInference } from '../policy/inference/scripted.ts';
import { seededRandom } from '../random/seeded.ts';
import { checkExplorable, Explorer } from './explorer.ts';
import { CharPolicy, CharSituations, readChars, writes } from './fixtures/char-policy.ts';
import { parcelFlow, type ParcelBehaviour } from './fixtures/parcels.ts';
import type { Plan } from './define.ts';
import { flowShape } from './plan.ts';
import { runFlow, type FlowRun } from './run.ts';
import { writingPlanner } from './writing-planner.ts';

/** Both tools are open. */
const planOf = (text: string): Plan => ({ text, items: [{}], actions: [{ tool: 'stamp', items: [0] }, { tool: 'leave' }] });

const TASK = { id: 't', parcels: ['a', 'b'] };

interface Setup {
  temperature?: number;
  exploration?: Partial<ExplorationConfig>;
  behaviour?: ParcelBehaviour;
}

interface Written {
  run: FlowRun;
  table: CharSituations;
  asked: GenerateRequest[];
}

/** Runs the parcel flow with a policy that writes these texts. */
async function run(script: readonly (string | Generation)[], setup: Setup = {}): Promise<Written> {
  const { temperature = 1, exploration, behaviour } = setup;
  const flow = parcelFlow(behaviour);
  const table = new CharSituations();
  const asked: GenerateRequest[] = [];
  const scripted = scriptedInference({ generations: script.map((said) => (typeof said === 'string' ? writes(said) : said)) });
  const inference: Inference = {
    ...scripted,
    generate: (request) => {
      asked.push(request);
      return scripted.generate(request);
    },
  };
  const config = { ...explorationSchema.parse(undefined), ...exploration };
  const explorer = exploration && new Explorer({ config, flow, shape: flowShape(flow) }, undefined, false);
  const lease = { version: 7, policy: new CharPolicy(), release: () => undefined };
  const planner = writingPlanner({ table, inference, lease, temperature, explorer, read: readChars });
  const clock = new VirtualClock();
  const random = seededRandom(1);
  return { run: await clock.run(runFlow({ flow, task: TASK, context: null, planner, random, clock })), table, asked };
}

describe('a policy that writes', () => {
  it('calls tools with the arguments that it wrote', async () => {
    const { run: result } = await run(['stamp {"parcel": 1}', 'stamp {"parcel": 0}', 'leave {}']);
    expect(result).toMatchObject({ failure: undefined, termination: Termination.DONE, toolErrors: 0 });
    expect(JSON.parse(result.answerJson)).toMatchObject({ stamped: [0, 1] });
    expect(result.steps).toMatchObject([
      {
        decision: { kind: 'generated', text: 'stamp {"parcel": 1}', finish: 'stop' },
        tool: 'stamp',
        items: [],
        arguments: '{"parcel":1}',
        result: '{"stamped":1}',
        mistake: undefined,
        openActions: 3,
        otherTools: true,
      },
      { tool: 'stamp' },
      { tool: 'leave' },
    ]);
    const [{ logProbability, entropy }] = result.steps as [(typeof result.steps)[0]];
    expect(logProbability).toBeCloseTo(-19 * Math.LN2, 9);
    expect(entropy).toBeCloseTo(Math.LN2, 9);
  });

  it('reads what it read and wrote before, and what followed from it', async () => {
    const { run: result, table } = await run(['stamp {"parcel": 1}', 'fly', 'leave {}']);
    const prompts = result.steps.map(({ prompt }) => String.fromCharCode(...prompt!));
    const shown = '?stamp a b\n';
    const second = `${shown}stamp {"parcel": 1}={"stamped":1}\n${shown}`;
    expect(prompts).toEqual([shown, second, `${second}fly=the text calls no tool\n${shown}`]);
    expect(result.steps.map(({ situation }) => table.prompts[situation!])).toEqual(result.steps.map(({ prompt }) => prompt));
  });

  it.each<[string, string | Generation, object]>([
    ['calls nothing', 'hm', { mistake: 'no_call', tool: '', result: 'the text calls no tool', arguments: '' }],
    [
      'calls a tool that there is not',
      'fly {"to": "a"}',
      { mistake: 'unknown_tool', tool: '', result: "there is no tool 'fly'; open are stamp, leave", arguments: '{"to":"a"}' },
    ],
    [
      'calls a tool that is not open',
      'stamp {"parcel": 0}',
      { mistake: 'closed_tool', tool: '', result: "the tool 'stamp' is not open now; open are leave" },
    ],
    [
      'does not come to an end',
      writes('stamp {"parcel": 0}', 'length'),
      { mistake: 'cut_off', tool: '', result: 'the text is longer than allowed and was cut off' },
    ],
  ])('answers for a text that %s', async (_, said, step) => {
    const seen: unknown[] = [];
    const closed = (step as { mistake: string }).mistake === 'closed_tool';
    const { run: result } = await run([said, 'leave {}'], {
      behaviour: {
        ...(closed && { plan: () => ({ items: [], actions: [{ tool: 'leave' }] }) }),
        verify: (__, outcome) => (seen.push(outcome), outcome.tool === 'leave' ? 'stop' : 'continue'),
      },
    });
    expect(result).toMatchObject({ failure: undefined, termination: Termination.DONE, toolErrors: 1 });
    expect(result.steps[0]).toMatchObject({ error: true, verified: false, ...step });
    expect(result.steps[1]).toMatchObject({ error: false, mistake: undefined });
    expect(seen[0]).toMatchObject({ tool: '', items: [], error: result.steps[0]!.result, step: 0 });
    expect(seen[1]).toMatchObject({ tool: 'leave', items: [], arguments: {}, result: 'bye' });
  });

  it('answers for arguments that the schema refuses', async () => {
    const { run: result } = await run(['stamp {"parcel": "a"}', 'leave {}']);
    expect(result).toMatchObject({ failure: undefined, toolErrors: 1 });
    expect(result.steps[0]).toMatchObject({ mistake: 'bad_arguments', tool: 'stamp', error: true, arguments: '{"parcel":"a"}' });
    expect(result.steps[0]!.result).toMatch(/^parcel: .*number/);
  });

  it('does not answer for a tool that is broken', async () => {
    const stamp = (): never => {
      throw new Error('broken');
    };
    const crashed = await run(['stamp {"parcel": 0}'], { behaviour: { stamp } });
    expect(crashed.run.failure).toMatchObject({ class: FailureClass.TOOL_CRASH });
  });

  it.each<[string, unknown, string]>([
    ['NaN for a token', { ...writes('ab'), logProbabilities: [-1, NaN] }, 'gave token 1 the log-probability NaN'],
    ['probabilities above 1', { ...writes('ab'), logProbabilities: [5, -10] }, 'gave token 0 the log-probability 5'],
    ['too few log-probabilities', { ...writes('leave {}'), logProbabilities: [-1] }, 'gave 1 log-probabilities for 8 tokens'],
    ['no tokens', { ...writes('leave {}'), tokens: [] }, 'gave no tokens'],
    ['half a token', { ...writes('a'), tokens: [1.5] }, 'gave the token 1.5'],
    ['an unknown reason', { ...writes('a'), finish: 'tired' }, 'gave the finish reason "tired"'],
    ['nothing', undefined, 'gave no lists'],
  ])('is not trained on with %s', async (_, answer, text) => {
    const { run: result } = await run(['stamp {"parcel": 1}', answer as Generation]);
    expect(result.failure?.class).toBe(FailureClass.POLICY_UNAVAILABLE);
    expect(result.failure?.message).toContain(`policy version 7: generate ${text}`);
    expect(result.steps).toHaveLength(1);
  });

  it('answers for arguments that are nested too deeply or name prototypes', async () => {
    const deep = `stamp ${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const schema: z.ZodType = z.lazy(() => z.array(schema));
    const behaviour = parcelFlow();
    const stamp = { ...behaviour.tools['stamp']!, input: schema };
    for (const tools of [behaviour.tools, { ...behaviour.tools, stamp }]) {
      const { run: result } = await run([deep, 'stamp {"parcel": 0, "__proto__": {"polluted": 1}}', 'leave {}'], {
        exploration: { loops: 'mask' },
        behaviour: { tools },
      });
      expect(result.failure).toBeUndefined();
      expect(result.steps[0]).toMatchObject({ mistake: 'bad_arguments', error: true });
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
    }
  });

  it('is asked with numbers that follow from those of the flow', async () => {
    const script = ['stamp {"parcel": 1}', 'leave {}'];
    const [one, two] = [await run(script), await run(script)];
    expect(one.asked.map(({ seed }) => seed)).toEqual(two.asked.map(({ seed }) => seed));
    expect(new Set(one.asked.map(({ seed }) => seed)).size).toBe(2);
  });
});

describe('a greedy policy that writes', () => {
  const greedy = { temperature: 0 };

  it('takes the most likely tokens as long as that leads anywhere', async () => {
    const { asked } = await run(['stamp {"parcel": 1}', 'stamp {"parcel": 0}', 'leave {}'], greedy);
    expect(asked.map(({ temperature }) => temperature)).toEqual([0, 0, 0]);
  });

  it('does not repeat in the same situation what answered with an error, however it is worded', async () => {
    const behaviour: ParcelBehaviour = {
      plan: () => planOf('same'),
    };
    const { run: result, asked } = await run(
      ['stamp {"parcel": 0}', 'stamp {"parcel": 0}', 'stamp {"parcel":  0}', 'stamp {"parcel": 1}', 'leave {}'],
      { ...greedy, behaviour },
    );
    expect(result.steps.map((step) => step.arguments)).toEqual(['{"parcel":0}', '{"parcel":0}', '{"parcel":1}', '{}']);
    expect(asked.map(({ temperature }) => temperature)).toEqual([0, 0, 0, 1, 0]);
  });

  it('takes it all the same after four more tries', async () => {
    const no = Array<string>(6).fill('fly');
    const { run: result } = await run([...no, 'leave {}'], greedy);
    expect(result.steps.map(({ mistake }) => mistake)).toEqual(['no_call', 'no_call', undefined]);
  });

  it('is sampled where the same followed from the same twice', async () => {
    const stamp: ParcelBehaviour['stamp'] = () => 'nothing new';
    const again = 'stamp {"parcel": 0}';
    const { asked } = await run([again, again, again, 'leave {}'], { ...greedy, behaviour: { stamp } });
    expect(asked.map(({ temperature }) => temperature)).toEqual([0, 0, 1, 1]);
  });
});

describe('exploration of a policy that writes', () => {
  const again = ['stamp {"parcel": 1}', 'stamp {"parcel": 1}', 'stamp {"parcel":1}', 'stamp {"parcel": 0}', 'leave {}'];
  const same: ParcelBehaviour = { plan: () => planOf('same') };

  it('writes again what it has written in this situation', async () => {
    const { run: result, asked } = await run(again, { exploration: { loops: 'mask' }, behaviour: same });
    expect(result.steps.map((step) => step.arguments)).toEqual(['{"parcel":1}', '{"parcel":0}', '{}']);
    expect(asked).toHaveLength(5);
    // What is recorded is the policy's own.
    expect(result.steps[1]!.logProbability).toBeCloseTo(-19 * Math.LN2, 9);
  });

  it.each([
    [0, 5],
    [20, 3],
  ])('lets it through with a penalty of %i nats', async (loopPenalty, steps) => {
    const { run: result } = await run(again, { exploration: { loops: 'penalise', loopPenalty }, behaviour: same });
    expect(result.steps).toHaveLength(steps);
  });

  it('leaves other situations alone', async () => {
    const { run: result } = await run(again.slice(1), {
      exploration: { loops: 'mask' },
      behaviour: { plan: ({ log }) => planOf(`step ${log.length}`) },
    });
    expect(result.steps.map(({ error }) => error)).toEqual([false, true, false, false]);
  });

  it.each([
    ['exploration.thompson.mix', { thompson: { mix: 0.1 } }],
    ['exploration.forced.share', { forced: { share: 0.25, mode: 'uniform', epsilon: 0.2 } }],
  ] as const)('refuses %s, which mixes distributions over actions', (field, changed) => {
    const config = { ...explorationSchema.parse(undefined), ...changed };
    const writer = { name: 'chars', decides: 'generated' } as const;
    expect(() => checkExplorable(writer, config)).toThrow(expect.objectContaining({ code: 'invalid_argument', field }) as Error);
    expect(() => checkExplorable({ name: 'planner' }, config)).not.toThrow();
  });
});
