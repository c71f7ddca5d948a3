import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { rewardSchema } from '../config/job/reward.ts';
import { algorithmSchema } from '../algo/registry.ts';
import { DEFAULT_ALGORITHM } from '../algo/config.ts';
import { parcelFlow, type ParcelTask } from '../flow/fixtures/parcels.ts';
import { FailureClass, StepSignalsSchema, Termination, TrajectorySchema } from '../gen/millrace/v1/flow_pb.ts';
import {
  Agent,
  Purpose,
  RolloutRequestSchema,
  TrajectoryGroupSchema,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../gen/millrace/v1/training_pb.ts';
import { encodeRows } from '../records/encode.ts';
import { packRows, unpackRows } from '../records/pack.ts';
import { stepRow } from '../store/fixtures.ts';
import { scoreGroup, type ScoreOptions } from './score.ts';

/** Scores a group by the answers of its members. */
function score(group: TrajectoryGroup, more: Partial<ScoreOptions<ParcelTask, never>> = {}): Promise<ScoredGroup> {
  const clock = new VirtualClock({ origin: 0 });
  const flow = { ...parcelFlow(), reward: (_: ParcelTask, answer: unknown) => answer as number };
  return clock.run(scoreGroup(group, { flow, context: 'world', algorithm: DEFAULT_ALGORITHM, node: 'reward-1', clock, ...more }));
}

/** Members of three steps that left these answers; for 'failed' the member failed. */
function withRows(answers: (number | 'failed')[], purpose = Purpose.TRAIN): TrajectoryGroup {
  const trajectories = answers.map((answer, index) =>
    create(TrajectorySchema, {
      id: `job:0:t:0:${index}`,
      index,
      steps: 3,
      ...(answer === 'failed'
        ? { failure: FailureClass.TOOL_TIMEOUT }
        : { answerJson: String(answer), termination: Termination.DONE }),
    }),
  );
  const rows = trajectories.flatMap(({ id }) => [0, 1, 2].map((step) => stepRow({ trajectory_id: id, step, verified: true })));
  const request = create(RolloutRequestSchema, {
    ...{ id: 'job:0:t:0', job: 'job', purpose, agent: Agent.POLICY, taskId: 't', taskJson: '{"id":"t","parcels":[]}' },
  });
  return create(TrajectoryGroupSchema, { request, trajectories, stepRows: packRows(encodeRows('steps', rows)) });
}

/** Reward and advantage of each row. */
const stepsOf = ({ stepRows }: ScoredGroup): unknown[][] =>
  Buffer.from(unpackRows(stepRows))
    .toString()
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as unknown[]).slice(-2));

describe('rows of steps', () => {
  it('get the reward where it came and the advantage of their decision; failed members neither', async () => {
    const scored = await score(withRows([1, 0, 'failed']), { algorithm: algorithmSchema.parse({ std: 'none' }) });
    const [won, lost] = [
      [0, 0.5],
      [0, -0.5],
    ];
    expect(stepsOf(scored)).toEqual([
      won,
      won,
      [1, 0.5],
      lost,
      lost,
      [0, -0.5],
      ...Array.from({ length: 3 }, () => [null, null]),
    ]);
  });

  it('have the rewards of their steps, and what follows from each of them', async () => {
    const group = withRows([1, 0]);
    for (const trajectory of group.trajectories)
      trajectory.signals = create(StepSignalsSchema, {
        tool: [0, 0, 0],
        error: [true, false, false],
        verified: [false, false, false],
      });
    const reward = rewardSchema.parse({
      components: [
        { name: 'outcome', weight: 1 },
        { name: 'tool-success', weight: 0.5 },
      ],
    });
    const algorithm = algorithmSchema.parse({ std: 'none', credit: { kind: 'return-to-go', gamma: 1 } });
    const scored = await score(group, { reward, algorithm });
    // Returns from each step on, less the return of the other.
    expect(stepsOf(scored)).toEqual([
      [0, 1],
      [0.5, 1],
      [1.5, 0.5],
      [0, -1],
      [0.5, -1],
      [0.5, -1.5],
    ]);
  });

  it('have no advantage where nothing is trained, 0 without signal, and none that a whole round decides', async () => {
    const advantages = async (group: TrajectoryGroup, more: Partial<ScoreOptions<ParcelTask, never>> = {}): Promise<unknown[]> =>
      stepsOf(await score(group, more)).map((tail) => tail[1]);
    expect(await advantages(withRows([1], Purpose.EVALUATE))).toEqual([null, null, null]);
    expect(await advantages(withRows([1, 1]))).toEqual([0, 0, 0, 0, 0, 0]);
    const ppo = algorithmSchema.parse({ name: 'ppo' });
    expect(new Set(await advantages(withRows([1, 0]), { algorithm: ppo }))).toEqual(new Set([null]));
  });
});
