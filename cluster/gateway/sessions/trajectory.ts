import { create, toBinary } from '@bufbuild/protobuf';
import { Agent, Purpose, RolloutRequestSchema, ScoredGroupSchema, Verdict } from '../../../src/gen/millrace/v1/training_pb.ts';
import type { SessionRecord } from '../../../src/jobs/sessions/session.ts';
import { encodeRows } from '../../../src/records/encode.ts';
import type { TrajectoryRow } from '../../../src/records/tables.ts';

/** Message that has the row of a finished session in table `trajectories`. Its tokens and cost are in table `calls`. */
export function finishedGroup(session: SessionRecord, node: string): Uint8Array {
  const { job, taskId, task } = session;
  const row = rowOf(session, node);
  return toBinary(
    ScoredGroupSchema,
    create(ScoredGroupSchema, {
      request: create(RolloutRequestSchema, {
        ...{ id: row.request_id, job, purpose: Purpose.SERVE, agent: Agent.POLICY, taskId, taskJson: task, groupSize: 1 },
      }),
      verdict: Verdict.NO_SIGNAL,
      scores: [{ valid: true, reward: row.reward, outcome: row.outcome, success: row.success }],
      trajectoryRows: encodeRows('trajectories', [row]),
      node,
      policyVersion: 0,
    }),
  );
}

function rowOf(
  { job, trajectory, taskId, reward, createdAt, finishedAt = createdAt }: SessionRecord,
  node: string,
): TrajectoryRow {
  const value = reward?.value ?? 0;
  return {
    ...{ job, trajectory_id: trajectory, request_id: trajectory.replace(/:0$/, ''), sequence: 0, member: 0, task_id: taskId },
    ...{ purpose: 'serve', evaluation: '', agent: 'outside', policy_version: 0, dispatch_version: 0, steps: 0, tool_errors: 0 },
    ...{ termination: 'done', failure: '', failure_message: '', resamples: 0, outcome: value, reward: value, advantage: 0 },
    // Without a reward nobody knows whether it was a success.
    ...{
      success: value >= 1,
      valid: reward !== undefined,
      verdict: 'no_signal',
      components: {},
      answer: '',
      node,
      reward_node: '',
    },
    ...{ dispatched_at: createdAt * 1000, started_at: createdAt * 1000, ended_at: finishedAt * 1000 },
    scored_at: (reward?.at ?? finishedAt) * 1000,
  };
}
