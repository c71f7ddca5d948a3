import { create } from '@bufbuild/protobuf';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import type { ServeTask } from '../../src/gen/millrace/v1/serving_pb.ts';
import {
  Agent,
  Purpose,
  RolloutRequestSchema,
  ScoredGroupSchema,
  Verdict,
  type RolloutRequest,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../../src/gen/millrace/v1/training_pb.ts';
import { encodeTrajectoryRows } from '../../src/records/trajectory-rows.ts';

/** Characters of a task's id that are kept. */
const MOST_ID = 200;

/** A live task as a request of one flow, greedy, of this very version. */
export function servedRequest(task: ServeTask): RolloutRequest {
  const { requestId, job, version, taskJson, requestedAtUs } = task;
  return create(RolloutRequestSchema, {
    ...{ id: requestId, job, purpose: Purpose.SERVE, agent: Agent.POLICY, taskId: idOf(taskJson), taskJson },
    ...{ groupSize: 1, policyVersion: version, pinned: true, temperature: 0, seed: 1, dispatchedAtUs: requestedAtUs },
  });
}

/** The task's own id, where it has one. */
function idOf(taskJson: string): string {
  const { id } = (JSON.parse(taskJson) as { id?: unknown } | null) ?? {};
  return typeof id === 'string' || typeof id === 'number' ? String(id).slice(0, MOST_ID).toWellFormed() : 'live';
}

/** A live run as the store takes it: its reward comes later, to table `experiment_outcomes`. */
export function servedGroup(group: TrajectoryGroup, { version, job, experiment, arm }: ServeTask): ScoredGroup {
  const { steps, toolErrors, failure, failureMessage, endedAtUs } = group.trajectories[0]!;
  const failed = failure !== FailureClass.UNSPECIFIED;
  const scored = create(ScoredGroupSchema, {
    request: { ...group.request!, taskJson: '' },
    verdict: failed ? Verdict.FAILED : Verdict.NO_SIGNAL,
    scores: [{ valid: !failed, steps, toolErrors }],
    stepRows: group.stepRows,
    node: group.node,
    policyVersion: version,
  });
  scored.trajectoryRows = encodeTrajectoryRows(
    group,
    scored,
    [failed ? { failure, message: failureMessage } : { components: {} }],
    { rewardNode: '', scoredAt: Number(endedAtUs), taskTypes: [], served: { adapter: `${job}@${version}`, experiment, arm } },
  );
  return scored;
}
