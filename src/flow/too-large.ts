import { create } from '@bufbuild/protobuf';
import { count } from '../bus/message-size.ts';
import { FailureClass, TrajectorySchema } from '../gen/millrace/v1/flow_pb.ts';
import { TrajectoryGroupSchema, type TrajectoryGroup } from '../gen/millrace/v1/training_pb.ts';

/**
 * What travels in place of a group that is too large: the same trajectories, all failed with GROUP_TOO_LARGE, and
 * nothing of what made it large. It fails once; running it again would make a group of the same size.
 * @param bytes of the group, or of what was made of it
 * @param limit of a group, or of what was made of it
 */
export function tooLargeGroup(group: TrajectoryGroup, bytes: number, limit: number): TrajectoryGroup {
  const { request, node, policyVersion, trajectories, experience } = group;
  const answers = trajectories.reduce((sum, { answerJson }) => sum + Buffer.byteLength(answerJson), 0);
  const message =
    `a group of ${trajectories.length} is ${count(bytes)} bytes, and at most ${count(limit)} may travel ` +
    `(answers ${count(answers)}, decisions ${count(experience.byteLength)}): lower rollout.groupSize, or return less from \`answer\``;
  return create(TrajectoryGroupSchema, {
    request: request!,
    node,
    policyVersion,
    trajectories: trajectories.map((trajectory) =>
      create(TrajectorySchema, {
        ...trajectory,
        failure: FailureClass.GROUP_TOO_LARGE,
        failureMessage: message,
        answerJson: '',
        signals: undefined,
      }),
    ),
  });
}
