import { create } from '@bufbuild/protobuf';
import type { AlgorithmConfig } from '../algo/config.ts';
import { grpoAdvantages } from '../algo/grpo/advantages.ts';
import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import type { FlowDefinition } from '../flow/define.ts';
import { FailureClass, type Trajectory } from '../gen/millrace/v1/flow_pb.ts';
import {
  Purpose,
  RolloutRequestSchema,
  ScoredGroupSchema,
  Verdict,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../gen/millrace/v1/training_pb.ts';
import { parseTask } from '../tasks/check.ts';
import { judge, type Judgement } from './judge.ts';
import { encodeTrajectoryRows } from './trajectory-rows.ts';

/** Options of {@link scoreGroup}. */
export interface ScoreOptions<T, M> {
  flow: FlowDefinition<T, M>;
  /** What `load` returned as context. */
  context: unknown;
  algorithm: Pick<AlgorithmConfig, 'std' | 'epsilon'>;
  /** Id of this node. */
  node: string;
  /** Time limit of one call of the flow's reward. Default 30_000. */
  timeoutMs?: number;
  clock: Clock;
}

/** Outcomes that differ by no more are equal. */
const TOLERANCE = 1e-9;

/**
 * Scores a group: the flow's reward for each trajectory that did not fail, advantages over those, and a verdict. A reward that
 * throws, takes too long or is not a finite number makes its trajectory a failed one (REWARD_FAILED), never a zero.
 */
export async function scoreGroup<T, M>(group: TrajectoryGroup, options: ScoreOptions<T, M>): Promise<ScoredGroup> {
  const { request } = group;
  if (request === undefined)
    throw new MillraceError('invalid_argument', 'the group has no request: it cannot be scored', { field: 'request' });
  const { flow, context, algorithm, node, timeoutMs = 30_000, clock } = options;
  const task = parseTask(flow, request.taskJson);
  const judgements = await Promise.all(
    group.trajectories.map(async (trajectory): Promise<Judgement> => {
      if (trajectory.failure !== FailureClass.UNSPECIFIED)
        return { failure: trajectory.failure, message: trajectory.failureMessage };
      if ('problem' in task) return { failure: FailureClass.INVALID_TASK, message: task.problem };
      return judge(flow, task.task, trajectory.answerJson, context, { clock, timeoutMs });
    }),
  );
  const valid = judgements.map((judgement) => 'outcome' in judgement);
  const rewards = judgements.map((judgement) => ('outcome' in judgement ? judgement.outcome : 0));
  const training = request.purpose !== Purpose.EVALUATE;
  const advantages = training
    ? grpoAdvantages(rewards, { std: algorithm.std, epsilon: algorithm.epsilon, tolerance: TOLERANCE, valid })
    : rewards.map(() => 0);
  const scores = judgements.map((judgement, i) => ({
    reward: rewards[i]!,
    outcome: rewards[i]!,
    advantage: advantages[i]!,
    success: 'outcome' in judgement && judgement.success,
    valid: valid[i]!,
    steps: group.trajectories[i]!.steps,
  }));
  const verdict = verdictOf(
    rewards.filter((_, i) => valid[i]),
    training ? 2 : 1,
  );
  const failure = verdict === Verdict.FAILED ? worst(judgements) : { failure: FailureClass.UNSPECIFIED, message: '' };
  const scored = create(ScoredGroupSchema, {
    request: create(RolloutRequestSchema, { ...request, taskJson: '' }),
    verdict,
    failure: failure.failure,
    failureMessage: failure.message,
    scores,
    // Only a group with a signal is ever trained on.
    experience: verdict === Verdict.SIGNAL && training ? group.experience : new Uint8Array(),
    stepRows: group.stepRows,
    node: group.node,
    policyVersion: group.policyVersion,
  });
  scored.trajectoryRows = encodeTrajectoryRows(group, scored, judgements, { rewardNode: node, scoredAt: clock.now() * 1000 });
  return scored;
}

/** By the outcomes, not the shaped rewards: shaping must not make a group of equals look instructive. */
function verdictOf(outcomes: readonly number[], atLeast: number): Verdict {
  if (outcomes.length < atLeast) return Verdict.FAILED;
  const spread = outcomes.reduce((a, b) => Math.max(a, b)) - outcomes.reduce((a, b) => Math.min(a, b));
  return spread <= TOLERANCE ? Verdict.NO_SIGNAL : Verdict.SIGNAL;
}

/** The most frequent class among failed members, the first met of equals, with its first message. */
function worst(judgements: readonly Judgement[]): { failure: Trajectory['failure']; message: string } {
  const failed = judgements.filter((judgement) => 'failure' in judgement);
  const counts = new Map<FailureClass, number>();
  for (const { failure } of failed) counts.set(failure, (counts.get(failure) ?? 0) + 1);
  let best = failed[0];
  for (const judgement of failed) if (counts.get(judgement.failure)! > counts.get(best!.failure)!) best = judgement;
  return best ?? { failure: FailureClass.WORKER_LOST, message: 'the group holds no trajectory' };
}
