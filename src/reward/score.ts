import { create } from '@bufbuild/protobuf';
import type { AlgorithmConfig } from '../algo/config.ts';
import type { GroupRewards } from '../algo/method.ts';
import { methodOf } from '../algo/registry.ts';
import { areEqual } from '../algo/stats/equal.ts';
import type { Clock } from '../clock/clock.ts';
import { rewardComponents, type RewardConfig } from '../config/job/reward.ts';
import { MillraceError } from '../errors.ts';
import type { FlowDefinition } from '../flow/define.ts';
import type { Retrier } from '../flow/retry-later.ts';
import type { Spending } from '../flow/spending.ts';
import { FailureClass, StepSignalsSchema, type Trajectory } from '../gen/millrace/v1/flow_pb.ts';
import {
  Purpose,
  ScoredGroupSchema,
  Verdict,
  type RolloutRequest,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../gen/millrace/v1/training_pb.ts';
import { MAX_TYPE, parseTask } from '../flow/check-task.ts';
import { taskIndexOf, tasksOf, withoutTaskTexts } from '../records/request-tasks.ts';
import { assessGroup, type AskCustom, type Assessment } from './assess.ts';
import { scoreStepRows } from '../records/step-scores.ts';
import { encodeTrajectoryRows } from '../records/trajectory-rows.ts';
import { usageOf } from '../records/trajectory-usage.ts';
import { stepScores } from './step-scores.ts';

/** Options of {@link scoreGroup}. */
export interface ScoreOptions<T, M> {
  flow: FlowDefinition<T, M>;
  /** What `load` returned as context. */
  context: unknown;
  algorithm: AlgorithmConfig;
  /** What the reward of a training group is made of. Default: the outcome alone. */
  reward?: RewardConfig;
  /** Asks custom reward functions; required when `reward` has a component with a module. */
  custom?: AskCustom | undefined;
  /** Pass the signals of the steps on, for exploration. Default false. */
  passSignals?: boolean;
  /** Id of this node. */
  node: string;
  /** Time limit of one call of the flow's reward. Default 30_000. */
  timeoutMs?: number;
  clock: Clock;
  /** What rewards cost. Default: what they say themselves, and nothing is booked. */
  spending?: Spending | undefined;
  /** Makes calls of rewards again that threw RetryLater. Default: `scoreGroup` then rejects with `HandBack`. */
  retrier?: Retrier | undefined;
}

/**
 * Scores a group: outcome and reward of each trajectory that did not fail, a verdict by the outcomes, and the advantages that the
 * job's method can tell from one group (0 where it needs a whole round). A reward that throws, takes too long or is not a
 * finite number makes its trajectory a failed one (REWARD_FAILED), never a zero. Rejects with `HandBack` when a reward cannot answer now.
 */
export async function scoreGroup<T, M>(group: TrajectoryGroup, options: ScoreOptions<T, M>): Promise<ScoredGroup> {
  const { request } = group;
  if (request === undefined)
    throw new MillraceError('invalid_argument', 'the group has no request: it cannot be scored', { field: 'request' });
  const { flow, context, custom, node, timeoutMs = 30_000, clock, retrier, spending } = options;
  const components = rewardComponents(options.reward ?? { shaping: 'none' });
  const assessments = await assessGroup(group, { flow, context, components, custom, timeoutMs, clock, retrier, spending });
  const training = request.purpose !== Purpose.EVALUATE;
  const outcomes = assessments.flatMap((assessment) => ('outcome' in assessment ? [assessment.outcome] : []));
  const rewards = assessments.flatMap((assessment) => ('reward' in assessment ? [assessment.reward] : []));
  const compared = training && options.reward?.signal === 'reward' ? rewards : outcomes;
  // Where no step had two open actions, nothing that the policy did made the difference.
  const decided = group.decisions === undefined || group.decisions.choices > 0;
  const method = methodOf(options.algorithm);
  const seen = seenBy(group, assessments);
  const teaches = (training && method.teaches?.(seen, options.algorithm)) ?? !areEqual(compared);
  // Who imitates compares nobody.
  const atLeast = training && method.imitates === undefined ? 2 : 1;
  const verdicts = training
    ? [verdictOf(compared.length, atLeast, decided && teaches)]
    : measuredVerdicts(request, assessments, decided);
  const verdict = overall(verdicts);
  const learns = training && verdict === Verdict.SIGNAL;
  // 0 for everyone where the method needs the whole round.
  const advantages = (learns && method.groupAdvantages?.(seen, options.algorithm)) || [];
  const scores = assessments.map((assessment, i) => {
    const { steps, explored, toolErrors } = group.trajectories[i]!;
    const { tokensIn, tokensOut, microDollars } = usageOf(group.trajectories[i]!, assessment);
    const used = { tokens: BigInt(tokensIn + tokensOut), microDollars: BigInt(microDollars) };
    const common = { steps, explored, toolErrors, ...used };
    if ('failure' in assessment) return { ...common, valid: false, failure: assessment.failure };
    const { outcome, success, reward, stepRewards } = assessment;
    return { ...common, valid: true, outcome, success, reward, stepRewards, advantage: advantages[i] ?? 0 };
  });
  // An evaluation says why each flow that has no score has none; a task that is run several times has one class.
  const failed = verdict === Verdict.FAILED || (!training && assessments.some((assessment) => 'failure' in assessment));
  const failure = failed ? worst(assessments) : { failure: FailureClass.UNSPECIFIED, message: '' };
  const scored = create(ScoredGroupSchema, {
    request: withoutTaskTexts(request),
    verdict,
    failure: failure.failure,
    failureMessage: failure.message,
    scores,
    // Only a group with a signal is ever trained on.
    experience: learns ? group.experience : new Uint8Array(),
    stepRows: scoreStepRows(group.stepRows, stepScores(group, { assessments, advantages, learns, training }, options.algorithm)),
    node: group.node,
    policyVersion: group.policyVersion,
    ...(group.decisions && { decisions: group.decisions }),
  });
  if (training && options.passSignals === true)
    scored.signals = group.trajectories.map(({ signals }) => signals ?? create(StepSignalsSchema));
  const taskTypes = tasksOf(request).map(({ taskJson }) => typeOf(flow, taskJson));
  if (!training) scored.taskTypes = taskTypes;
  const of = { rewardNode: node, scoredAt: clock.now() * 1000, taskTypes, verdicts };
  scored.trajectoryRows = encodeTrajectoryRows(group, scored, assessments, of);
  return scored;
}

/** A flow whose types cannot be told was refused when its tasks were loaded; here it is only a word in a row. */
function typeOf<T, M>(flow: FlowDefinition<T, M>, taskJson: string): string {
  if (flow.type === undefined) return '';
  const checked = parseTask(flow, taskJson);
  if ('problem' in checked) return '';
  try {
    return String(flow.type(checked.task)).slice(0, MAX_TYPE);
  } catch {
    return '';
  }
}

/** A group as a method sees it: advantages are made of shaped rewards. */
function seenBy({ trajectories }: TrajectoryGroup, assessments: readonly Assessment[]): GroupRewards {
  return {
    rewards: assessments.map((assessment) => ('reward' in assessment ? assessment.reward : 0)),
    valid: assessments.map((assessment) => 'reward' in assessment),
    successful: assessments.map((assessment) => 'success' in assessment && assessment.success),
    explored: trajectories.map(({ explored }) => explored),
  };
}

/**
 * Whether groups differ is told by the outcomes, not the shaped rewards, unless the job says otherwise: shaping must not make a group of
 * equals look instructive. Methods that compare with more than the group (a critic, the whole round) or with nothing say themselves what
 * teaches them something.
 */
function verdictOf(scored: number, atLeast: number, teaches: boolean): Verdict {
  if (scored < atLeast) return Verdict.FAILED;
  return teaches ? Verdict.SIGNAL : Verdict.NO_SIGNAL;
}

/** Of each task of a request that measures: flows of different tasks are not compared. */
function measuredVerdicts(request: RolloutRequest, assessments: readonly Assessment[], decided: boolean): Verdict[] {
  return tasksOf(request).map((_, task) => {
    const own = assessments.filter((_, member) => taskIndexOf(request, member) === task);
    const outcomes = own.flatMap((assessment) => ('outcome' in assessment ? [assessment.outcome] : []));
    return verdictOf(outcomes.length, 1, decided && !areEqual(outcomes));
  });
}

/** Of a group of several tasks: it has failed when all of them have. */
function overall(verdicts: readonly Verdict[]): Verdict {
  return [Verdict.SIGNAL, Verdict.NO_SIGNAL].find((verdict) => verdicts.includes(verdict)) ?? Verdict.FAILED;
}

/** The most frequent class among failed members, the first met of equals, with its first message. */
function worst(assessments: readonly Assessment[]): { failure: Trajectory['failure']; message: string } {
  const failed = assessments.filter((assessment) => 'failure' in assessment);
  const counts = new Map<FailureClass, number>();
  for (const { failure } of failed) counts.set(failure, (counts.get(failure) ?? 0) + 1);
  let best = failed[0];
  for (const one of failed) if (counts.get(one.failure)! > counts.get(best!.failure)!) best = one;
  return best ?? { failure: FailureClass.WORKER_LOST, message: 'the group holds no trajectory' };
}
