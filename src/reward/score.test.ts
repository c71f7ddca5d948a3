import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ALGORITHM } from '../algo/config.ts';
import { VirtualClock } from '../clock/virtual.ts';
import { rewardSchema } from '../config/job/reward.ts';
import type { FlowDefinition, Json } from '../flow/define.ts';
import { parcelFlow, type ParcelTask } from '../flow/fixtures/parcels.ts';
import { FailureClass, StepSignalsSchema, Termination, TrajectorySchema } from '../gen/millrace/v1/flow_pb.ts';
import {
  Agent,
  Purpose,
  RequestTaskSchema,
  RolloutRequestSchema,
  TrajectoryGroupSchema,
  Verdict,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../gen/millrace/v1/training_pb.ts';
import { unpackRows } from '../records/pack.ts';
import { algorithmSchema } from '../algo/registry.ts';
import { TABLES } from '../records/tables.ts';
import type { AskCustom } from './assess.ts';
import type { RewardCall } from './custom/protocol.ts';
import { scoreGroup, type ScoreOptions } from './score.ts';

type RewardOf = FlowDefinition<ParcelTask, never>['reward'];

/** A group whose members left these answers; for 'failed' the member failed and left none. */
function groupOf(answers: Json[], purpose = Purpose.TRAIN): TrajectoryGroup {
  return create(TrajectoryGroupSchema, {
    request: create(RolloutRequestSchema, {
      id: 'job:0:t:0',
      job: 'job',
      sequence: 7n,
      purpose,
      agent: Agent.POLICY,
      taskId: 't',
      taskJson: '{"id":"t","parcels":[]}',
      policyVersion: 4,
      dispatchedAtUs: 1000n,
    }),
    trajectories: answers.map((answer, index) =>
      create(TrajectorySchema, {
        id: `job:0:t:0:${index}`,
        index,
        steps: 3,
        policyVersion: 5,
        ...(answer === 'failed'
          ? { failure: FailureClass.TOOL_TIMEOUT, failureMessage: 'too slow' }
          : { answerJson: JSON.stringify(answer), termination: Termination.DONE }),
      }),
    ),
    experience: Uint8Array.of(1, 2, 3),
    stepRows: Uint8Array.of(4),
    node: 'worker-1',
    policyVersion: 5,
  });
}

const byAnswer: RewardOf = (_, answer) => answer as never;

type More = Partial<ScoreOptions<ParcelTask, never>>;

function score(group: TrajectoryGroup, reward: RewardOf = byAnswer, timeoutMs = 100, more: More = {}): Promise<ScoredGroup> {
  const clock = new VirtualClock({ origin: 0 });
  const flow = { ...parcelFlow(), reward };
  return clock.run(
    scoreGroup(group, { flow, context: 'world', algorithm: DEFAULT_ALGORITHM, node: 'reward-1', timeoutMs, clock, ...more }),
  );
}

function rows({ trajectoryRows }: ScoredGroup): Record<string, unknown>[] {
  const lines = Buffer.from(unpackRows(trajectoryRows)).toString().trim().split('\n');
  return lines.map((line) =>
    Object.fromEntries((JSON.parse(line) as unknown[]).map((v, i) => [TABLES.trajectories.columns[i]!, v])),
  );
}

describe('scoreGroup', () => {
  it('gives rewards and group-relative advantages (golden numbers)', async () => {
    const scored = await score(groupOf([1, 1, 0, 0, 1, 0, 0, 0]));
    expect(scored.verdict).toBe(Verdict.SIGNAL);
    scored.scores.forEach(({ reward, advantage, success, valid, steps }) => {
      expect(advantage).toBeCloseTo(reward === 1 ? 1.207381 : -0.724429, 5);
      expect([success, valid, steps]).toEqual([reward === 1, true, 3]);
    });
  });

  it('passes on what the learner and the store need, and leaves the task behind', async () => {
    const scored = await score(groupOf([1, 0]));
    expect(scored).toMatchObject({ node: 'worker-1', policyVersion: 5, failure: FailureClass.UNSPECIFIED, failureMessage: '' });
    expect([scored.request!.taskJson, scored.request!.taskId, scored.request!.sequence]).toEqual(['', 't', 7n]);
    expect([[...scored.experience], [...scored.stepRows]]).toEqual([[1, 2, 3], [4]]);
    expect(rows(scored)[0]).toMatchObject({
      trajectory_id: 'job:0:t:0:0',
      sequence: 7,
      agent: 'policy',
      purpose: 'train',
      policy_version: 5,
      dispatch_version: 4,
      termination: 'done',
      failure: '',
      outcome: 1,
      success: true,
      valid: true,
      verdict: 'signal',
      node: 'worker-1',
      reward_node: 'reward-1',
    });
  });

  it('gives the reward the task, the answer and the context', async () => {
    const seen: unknown[] = [];
    await score(groupOf([{ a: [1] }]), (...call) => seen.push(call));
    expect(seen).toEqual([[{ id: 't', parcels: [] }, { a: [1] }, 'world']]);
  });

  it('takes shaped rewards apart: outcome, success and components', async () => {
    const scored = await score(groupOf([0.5, 1.5]), async (_, answer) => ({
      outcome: answer as number,
      success: answer === 0.5,
      components: { bonus: 0.25 },
    }));
    expect(scored.scores.map((s) => [s.outcome, s.success])).toEqual([
      [0.5, true],
      [1.5, false],
    ]);
    expect(rows(scored)[1]).toMatchObject({ components: { bonus: 0.25 }, outcome: 1.5 });
  });
});

describe('rows of trajectories', () => {
  it('hold the type of the task, times and what flow and reward used', async () => {
    const group = groupOf([1, 0]);
    Object.assign(group.trajectories[0]!, { planUs: 70n, toolUs: 30n, tokensIn: 100n, tokensOut: 10n, microDollars: 500_000n });
    const reward: RewardOf = (_, answer) => ({ outcome: answer as number, usage: { tokensIn: 5, cost: 0.25 } });
    const typed = { ...parcelFlow(), reward, type: ({ id }: ParcelTask) => `kind ${id}` };
    const scored = await score(group, reward, 100, { flow: typed as never });
    expect(rows(scored)).toMatchObject([
      { task_type: 'kind t', plan_us: 70, tool_us: 30, tokens_in: 105, tokens_out: 10, cost: 0.75, micro_dollars: 750_000 },
      { task_type: 'kind t', plan_us: 0, tool_us: 0, tokens_in: 5, tokens_out: 0, cost: 0.25, micro_dollars: 250_000 },
    ]);
    expect(rows(await score(groupOf([1, 0])))).toMatchObject([{ task_type: '', tokens_in: 0, cost: 0 }, {}]);
  });

  it('are failed ones where the reward says nonsense about what it used', async () => {
    const scored = await score(groupOf([1]), () => ({ outcome: 1, usage: { cost: -1 } }));
    expect(rows(scored)[0]).toMatchObject({
      valid: false,
      failure: 'reward_failed',
      failure_message: expect.stringContaining('usage.cost') as string,
    });
  });
});

describe('what is not a reward', () => {
  const failing: [string, RewardOf, RegExp][] = [
    [
      'throws',
      () => {
        throw new Error('database gone');
      },
      /^reward: Error: database gone/,
    ],
    ['rejects', () => Promise.reject(new Error('later')), /^reward: Error: later/],
    ['never answers', () => new Promise(() => undefined), /^reward: did not answer within 100 ms/],
    ['is NaN', () => NaN, /^reward: must be a finite number .*got NaN/],
    ['is infinite', () => ({ outcome: -Infinity }), /^reward: must be a finite number/],
    ['is a text', () => 'good' as never, /^reward: must be a finite number .*got "good"/],
    [
      'has a broken component',
      () => ({ outcome: 1, components: { bonus: NaN } }),
      /^reward: component 'bonus' must be a finite number/,
    ],
  ];
  it.each(failing)('%s: REWARD_FAILED, out of the mean, never 0', async (_, wrong, message) => {
    const scored = await score(groupOf([1, 'x', 0]), (task, answer, context) =>
      answer === 'x' ? wrong(task, answer, context) : (answer as number),
    );
    expect(scored.verdict).toBe(Verdict.SIGNAL);
    expect(scored.scores[1]).toMatchObject({ valid: false, success: false, advantage: 0 });
    expect(scored.scores[0]!.advantage).toBeCloseTo(-scored.scores[2]!.advantage, 6);
    expect(rows(scored)[1]).toMatchObject({
      failure: 'reward_failed',
      valid: false,
      failure_message: expect.stringMatching(message) as string,
    });
    const none = await score(groupOf(['x', 'x']), wrong);
    expect(none).toMatchObject({
      verdict: Verdict.FAILED,
      failure: FailureClass.REWARD_FAILED,
      failureMessage: expect.stringMatching(message) as string,
    });
  });
});

describe('the verdict', () => {
  it('is FAILED below two valid members when training, below one when evaluating', async () => {
    expect(await score(groupOf([1, 'failed', 'failed']))).toMatchObject({
      verdict: Verdict.FAILED,
      failure: FailureClass.TOOL_TIMEOUT,
      failureMessage: 'too slow',
    });
    expect((await score(groupOf([1, 'failed'], Purpose.EVALUATE))).verdict).toBe(Verdict.NO_SIGNAL);
    expect((await score(groupOf(['failed'], Purpose.EVALUATE))).verdict).toBe(Verdict.FAILED);
    const group = groupOf([1, 0]);
    group.request!.taskJson = '{}';
    expect(await score(group)).toMatchObject({ verdict: Verdict.FAILED, failure: FailureClass.INVALID_TASK });
  });

  it('is SIGNAL for equals too where the method compares with more than the group', async () => {
    for (const name of ['ppo', 'vtrace', 'reinforce-plus-plus'] as const) {
      const algorithm = algorithmSchema.parse({ name });
      const scored = await score(groupOf([1, 1]), undefined, undefined, { algorithm });
      expect(scored.verdict).toBe(Verdict.SIGNAL);
      expect(scored.experience.length).toBeGreaterThan(0);
      expect((await score(groupOf([1, 'failed']), undefined, undefined, { algorithm })).verdict).toBe(Verdict.FAILED);
      expect((await score(groupOf([1, 1], Purpose.EVALUATE), undefined, undefined, { algorithm })).verdict).toBe(
        Verdict.NO_SIGNAL,
      );
    }
  });

  it('takes outcomes for equal that differ by rounding alone, however large they are', async () => {
    const verdict = async (answers: Json[]) => (await score(groupOf(answers))).verdict;
    expect(await verdict([30000000.000000004, 3e7])).toBe(Verdict.NO_SIGNAL);
    expect(await verdict([0.1 + 0.2, 0.3])).toBe(Verdict.NO_SIGNAL);
    expect(await verdict([30000000.01, 3e7])).toBe(Verdict.SIGNAL);
    expect(await verdict([2e-10, 1e-10])).toBe(Verdict.SIGNAL);
  });

  it('is NO_SIGNAL exactly when valid members have equal outcomes', async () => {
    const member = fc.constantFrom<Json>(0, 1, 1 / 3, 'failed');
    await fc.assert(
      fc.asyncProperty(fc.array(member, { minLength: 1, maxLength: 8 }), async (answers) => {
        const scored = await score(groupOf(answers));
        const valid = answers.filter((answer) => answer !== 'failed') as number[];
        const expected = valid.length < 2 ? Verdict.FAILED : new Set(valid).size > 1 ? Verdict.SIGNAL : Verdict.NO_SIGNAL;
        expect(scored.verdict).toBe(expected);
        const advantages = scored.scores.map((s) => s.advantage);
        expect(Math.abs(advantages.reduce((a, b) => a + b, 0))).toBeLessThan(1e-5);
        if (expected !== Verdict.SIGNAL) expect(advantages.every((a) => a === 0)).toBe(true);
        scored.scores.forEach(({ valid, reward }, i) => {
          expect(valid).toBe(answers[i] !== 'failed');
          expect(reward).toBeCloseTo(valid ? (answers[i] as number) : 0, 6);
        });
        expect(rows(scored)).toHaveLength(answers.length);
      }),
      { numRuns: 50 },
    );
  });

  it('is no matter of evaluation: no advantages there', async () => {
    const scored = await score(groupOf([1, 0], Purpose.EVALUATE));
    expect(scored.scores.map((s) => s.advantage)).toEqual([0, 0]);
    expect(scored.experience).toHaveLength(0);
  });

  it('judges the tasks of an evaluation apart from each other', async () => {
    const group = groupOf([1, 0, 'failed', 'failed', 1, 1], Purpose.EVALUATE);
    const tasks = ['a', 'b', 'c'].map((id, i) =>
      create(RequestTaskSchema, { taskId: id, taskJson: `{"id":"${id}","parcels":[]}`, sequence: BigInt(i) }),
    );
    group.request = { ...group.request!, groupSize: 6, tasks };
    const typed = { ...parcelFlow(), reward: byAnswer, type: ({ id }: ParcelTask) => `type ${id}` };
    const scored = await score(group, byAnswer, 100, { flow: typed as unknown as FlowDefinition<ParcelTask, never> });
    expect(scored.taskTypes).toEqual(['type a', 'type b', 'type c']);
    expect(scored.request!.tasks.map(({ taskId, taskJson }) => [taskId, taskJson])).toEqual([
      ['a', ''],
      ['b', ''],
      ['c', ''],
    ]);
    expect(scored.scores.map(({ valid, failure }) => (valid ? 'valid' : FailureClass[failure]))).toEqual([
      'valid',
      'valid',
      'TOOL_TIMEOUT',
      'TOOL_TIMEOUT',
      'valid',
      'valid',
    ]);
    expect(rows(scored).map((row) => [row['task_id'], row['sequence'], row['verdict'], row['task_type']])).toEqual(
      [
        ['a', 0, 'signal', 'type a'],
        ['b', 1, 'failed', 'type b'],
        ['c', 2, 'no_signal', 'type c'],
      ].flatMap((row) => [row, row]),
    );
  });

  it('refuses a group without its request', async () => {
    const group = groupOf([1]);
    delete group.request;
    await expect(score(group)).rejects.toMatchObject({ code: 'invalid_argument', field: 'request' });
  });
});

/** A shaped group: `errors` of each member's three steps. */
function withSignals(answers: Json[], errors: number[], purpose = Purpose.TRAIN): TrajectoryGroup {
  const group = groupOf(answers, purpose);
  group.trajectories.forEach((trajectory, i) => {
    const error = [0, 1, 2].map((t) => t < errors[i]!);
    trajectory.signals = create(StepSignalsSchema, { tool: [0, 0, 1], error, verified: [false, false, true] });
  });
  return group;
}

const shaped = rewardSchema.parse({ shaping: 'default' });

describe('a shaped reward', () => {
  it('is in scores, steps and rows; the outcome stays what the flow said', async () => {
    const scored = await score(withSignals([1, 0], [0, 2]), byAnswer, 100, { reward: shaped });
    expect(scored.verdict).toBe(Verdict.SIGNAL);
    const expected = [1 + 0.3 + 0.05 - 0.03, 0 + 0.1 + 0.05 - 0.03];
    scored.scores.forEach((one, i) => {
      expect(one.reward).toBeCloseTo(expected[i]!, 6);
      expect([one.outcome, one.success]).toEqual([1 - i, i === 0]);
      expect(one.stepRewards.reduce((a, b) => a + b, 0)).toBeCloseTo(expected[i]!, 6);
      // Two members: plus and minus half of the square root of 2, whatever they got.
      expect(one.advantage).toBeCloseTo(i === 0 ? Math.SQRT1_2 : -Math.SQRT1_2, 3);
    });
    expect(scored.scores[1]!.stepRewards.map((x) => Math.round(x * 100))).toEqual([-1, -1, 14]);
    expect(rows(scored)[1]).toMatchObject({
      outcome: 0,
      components: { outcome: 0, 'tool-success': 1, verification: 1, step: 3 },
    });
    expect(rows(scored)[1]!['reward']).toBeCloseTo(expected[1]!, 6);
  });

  it('does not make a group of equal outcomes instructive', async () => {
    const scored = await score(withSignals([1, 1], [0, 3]), byAnswer, 100, { reward: shaped });
    expect(scored.scores[0]!.reward).toBeGreaterThan(scored.scores[1]!.reward);
    expect(scored).toMatchObject({ verdict: Verdict.NO_SIGNAL, experience: new Uint8Array() });
    expect(scored.scores.map((s) => s.advantage)).toEqual([0, 0]);
  });

  it('makes it instructive when the job says that differing rewards are a signal', async () => {
    const reward = { ...shaped, signal: 'reward' as const };
    const scored = await score(withSignals([1, 1], [0, 3]), byAnswer, 100, { reward });
    expect(scored.verdict).toBe(Verdict.SIGNAL);
    expect(scored.scores[0]!.advantage).toBeGreaterThan(0);
    expect(scored.scores[1]!.advantage).toBeLessThan(0);
    const same = await score(withSignals([1, 1], [2, 2]), byAnswer, 100, { reward });
    expect(same.verdict).toBe(Verdict.NO_SIGNAL);
    const evaluated = await score(withSignals([1, 1], [0, 3], Purpose.EVALUATE), byAnswer, 100, { reward });
    expect(evaluated.verdict).toBe(Verdict.NO_SIGNAL);
  });

  it('is no matter of evaluation', async () => {
    const scored = await score(withSignals([1, 0], [0, 2], Purpose.EVALUATE), byAnswer, 100, {
      reward: shaped,
      passSignals: true,
    });
    expect(scored.scores.map((s) => [s.reward, s.stepRewards])).toEqual([
      [1, []],
      [0, []],
    ]);
    expect(rows(scored).map((row) => row['components'])).toEqual([{}, {}]);
    expect(scored.signals).toEqual([]);
  });

  it('fails a trajectory whose steps are unknown or whose component is missing, and no other', async () => {
    const group = withSignals([1, 0, 1], [0, 1, 2]);
    delete group.trajectories[1]!.signals;
    const scored = await score(group, byAnswer, 100, { reward: shaped });
    expect(scored.scores.map((s) => s.valid)).toEqual([true, false, true]);
    expect(rows(scored)[1]).toMatchObject({
      failure: 'reward_failed',
      failure_message: expect.stringMatching(/^reward: component 'tool-success' has no value/) as string,
    });
    const tidy = rewardSchema.parse({
      components: [
        { name: 'outcome', weight: 1 },
        { name: 'tidy', weight: 1 },
      ],
    });
    const some: RewardOf = (_, answer) => (answer === 1 ? { outcome: 1, components: { tidy: 0.5 } } : 0);
    const partly = await score(groupOf([1, 0]), some, 100, { reward: tidy });
    expect(partly.scores.map((s) => [s.valid, s.reward])).toEqual([
      [true, 1.5],
      [false, 0],
    ]);
  });

  it('asks modules about steps and outcome; one that has no value fails its trajectory', async () => {
    const group = withSignals([1, 0, 0], [0, 1, 0]);
    const step = (trajectory: number, t: number): unknown[] =>
      TABLES.steps.columns.map((name) => {
        const given: Record<string, unknown> = {
          trajectory_id: `job:0:t:0:${trajectory}`,
          tool: `tool${t}`,
          items: [t],
          error: t === 1,
        };
        return given[name] ?? name;
      });
    const lines = [0, 1, 2].flatMap((trajectory) => [0, 1, 2].map((t) => JSON.stringify(step(trajectory, t))));
    group.stepRows = Buffer.from(`${lines.join('\n')}\n`);
    const calls: RewardCall[] = [];
    const custom: AskCustom = async (component, call) => {
      calls.push(call);
      expect(component).toBe('mine');
      return calls.length === 2 ? { problem: 'did not answer within 5 ms' } : { value: call.outcome + call.steps.length };
    };
    const reward = rewardSchema.parse({ shaping: 'default', components: [{ name: 'mine', weight: 10, module: 'm.ts' }] });
    const scored = await score(group, byAnswer, 100, { reward, custom });
    expect(calls[0]).toEqual({
      taskJson: '{"id":"t","parcels":[]}',
      answerJson: '1',
      outcome: 1,
      steps: [0, 1, 2].map((t) => ({
        tool: `tool${t}`,
        items: [t],
        arguments: 'arguments',
        result: 'result',
        error: t === 1,
        verified: t === 2,
      })),
    });
    expect(scored.scores.map((s) => s.valid)).toEqual([true, false, true]);
    expect(rows(scored)[1]).toMatchObject({
      failure: 'reward_failed',
      failure_message: "reward component 'mine': did not answer within 5 ms",
    });
    expect(rows(scored)[0]).toMatchObject({ components: { mine: 4, outcome: 1, step: 3 } });
    expect(scored.scores[2]!.reward).toBeCloseTo(30 + 0.3 + 0.05 - 0.03, 5);
  });

  it('compares explored members with their like, and passes signals on when asked to', async () => {
    const group = withSignals([1, 0, 1, 0, 1], [0, 1, 2, 3, 0]);
    group.trajectories[0]!.explored = true;
    group.trajectories[1]!.explored = true;
    const scored = await score(group, byAnswer, 100, { passSignals: true });
    expect(scored.scores.map((s) => s.explored)).toEqual([true, true, false, false, false]);
    const [a, b, c, d, e] = scored.scores.map((s) => s.advantage);
    expect([a! + b!, c! + d! + e!].map((x) => Math.abs(x) < 1e-6)).toEqual([true, true]);
    expect(a).not.toBeCloseTo(c!, 3);
    expect(scored.signals.map(({ error }) => error.filter(Boolean).length)).toEqual([0, 1, 2, 3, 0]);
    expect((await score(group)).signals).toEqual([]);
  });
});
