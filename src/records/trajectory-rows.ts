import type { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import type { ScoredGroup, TrajectoryGroup, Verdict } from '../gen/millrace/v1/training_pb.ts';
import { taskIndexOf, taskOf } from './request-tasks.ts';
import { encodeRows } from './encode.ts';
import { packRows } from './pack.ts';
import { withinBudget } from './row-budget.ts';
import { usageOf, type TrajectoryUsage } from './trajectory-usage.ts';
import type { TrajectoryRow } from './tables.ts';
import { agentWord, failureWord, purposeWord, terminationWord, verdictWord } from './words.ts';

/** What a row says about the reward of a trajectory, or about why it has none. */
type RecordedAssessment =
  | {
      components: Readonly<Record<string, number>>;
      usage?: TrajectoryUsage;
    }
  | { failure: FailureClass; message: string };

/** What the rows of a group have in common, besides its request. */
export interface TrajectoryRowContext {
  rewardNode: string;
  /** Unix time in microseconds. */
  scoredAt: number;
  /** One for each task of the request; none where nobody knows them. */
  taskTypes: readonly string[];
  /** One for each task of the request. Default: that of the group. */
  verdicts?: readonly Verdict[];
  /** Of live tasks. */
  served?: { adapter: string; experiment: string; arm: string };
}

/** Rows of table `trajectories`, one per member of the group, packed. */
export function encodeTrajectoryRows(
  group: TrajectoryGroup,
  scored: ScoredGroup,
  assessments: readonly RecordedAssessment[],
  { rewardNode, scoredAt, taskTypes, verdicts = [], served }: TrajectoryRowContext,
): Uint8Array {
  const request = group.request!;
  const rows = group.trajectories.map((trajectory, i): TrajectoryRow => {
    const score = scored.scores[i]!;
    const assessment = assessments[i]!;
    const usage = usageOf(trajectory, assessment);
    const { taskId: task_id, sequence } = taskOf(request, i);
    return {
      job: request.job,
      trajectory_id: trajectory.id,
      request_id: request.id,
      ...{ sequence: Number(sequence), member: trajectory.index, task_id },
      purpose: purposeWord(request.purpose),
      evaluation: request.evaluation,
      agent: agentWord(request.agent),
      policy_version: trajectory.policyVersion,
      dispatch_version: request.policyVersion,
      steps: trajectory.steps,
      tool_errors: trajectory.toolErrors,
      termination: terminationWord(trajectory.termination),
      failure: 'failure' in assessment ? failureWord(assessment.failure) : '',
      failure_message: 'failure' in assessment ? assessment.message : '',
      resamples: trajectory.resamples,
      outcome: score.outcome,
      reward: score.reward,
      advantage: score.advantage,
      success: score.success,
      valid: score.valid,
      verdict: verdictWord(verdicts[taskIndexOf(request, i)] ?? scored.verdict),
      components: 'components' in assessment ? assessment.components : {},
      answer: trajectory.answerJson,
      node: group.node,
      reward_node: rewardNode,
      dispatched_at: Number(request.dispatchedAtUs),
      started_at: Number(trajectory.startedAtUs),
      ended_at: Number(trajectory.endedAtUs),
      scored_at: scoredAt,
      task_type: taskTypes[taskIndexOf(request, i)] ?? '',
      plan_us: Number(trajectory.planUs),
      tool_us: Number(trajectory.toolUs),
      tokens_in: usage.tokensIn,
      tokens_out: usage.tokensOut,
      micro_dollars: usage.microDollars,
      ...served,
    };
  });
  const encoded = withinBudget((cut) =>
    encodeRows(
      'trajectories',
      rows.map((row) => ({ ...row, answer: cut(row.answer), failure_message: cut(row.failure_message) })),
    ),
  );
  return packRows(encoded);
}
