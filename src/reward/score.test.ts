import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ALGORITHM } from '../algo/config.ts';
import { VirtualClock } from '../clock/virtual.ts';
import type { FlowDefinition, Json } from '../flow/define.ts';
import { parcelFlow, type ParcelTask } from '../flow/fixtures/parcels.ts';
import { FailureClass, Termination, TrajectorySchema } from '../gen/millrace/v1/flow_pb.ts';
import {
  Agent,
  Purpose,
  RolloutRequestSchema,
  TrajectoryGroupSchema,
  Verdict,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../gen/millrace/v1/training_pb.ts';
import { unpackRows } from '../store/pack.ts';
import { TABLES } from '../store/tables.ts';
import { scoreGroup } from './score.ts';

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

function score(group: TrajectoryGroup, reward: RewardOf = byAnswer, timeoutMs = 100): Promise<ScoredGroup> {
  const clock = new VirtualClock({ origin: 0 });
  const flow = { ...parcelFlow(), reward };
  return clock.run(
    scoreGroup(group, { flow, context: 'world', algorithm: DEFAULT_ALGORITHM, node: 'reward-1', timeoutMs, clock }),
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

  it('is NO_SIGNAL exactly when the outcomes of the valid members are equal; then nobody has an advantage', async () => {
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

  it('refuses a group without its request', async () => {
    const group = groupOf([1]);
    delete group.request;
    await expect(score(group)).rejects.toMatchObject({ code: 'invalid_argument', field: 'request' });
  });
});
