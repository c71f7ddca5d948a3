import { fromBinary } from '@bufbuild/protobuf';
import { FailureClass } from '../../../src/gen/millrace/v1/flow_pb.ts';
import { TrajectoryGroupSchema, type TrajectoryGroup } from '../../../src/gen/millrace/v1/training_pb.ts';
import type { PolicyLearner } from '../../../src/policy/kind.ts';
import { decodeExperience } from '../../../src/policy/experience.ts';
import type { Check, Fail } from './check.ts';
import type { PublishedWeights } from './published-weights.ts';

/** How far log-probabilities may be from those of the weights: they travel as 32-bit floats. */
const TOLERANCE = 1e-4;

/**
 * Who acts names the version of the weights that it acts with: it is at least as new as the one that was asked for, and the
 * log-probabilities of the decisions are those of its weights (promise 7).
 */
export function servedCheck(weights: PublishedWeights, learner: PolicyLearner, fail: Fail): Check {
  return {
    published({ subject, data }) {
      if (!subject.startsWith('group.')) return;
      const problem = problemOf(fromBinary(TrajectoryGroupSchema, data), weights, learner);
      if (problem !== undefined) fail('served-version', problem);
    },
  };
}

function problemOf(group: TrajectoryGroup, weights: PublishedWeights, learner: PolicyLearner): string | undefined {
  const { request, trajectories, policyVersion } = group;
  const oldest = Math.min(...trajectories.map((trajectory) => trajectory.policyVersion));
  if (policyVersion !== oldest)
    return `${request!.id} names version ${policyVersion}, and its oldest member is of version ${oldest}`;
  for (const { id, failure, policyVersion: version } of trajectories) {
    if (failure !== FailureClass.UNSPECIFIED) continue;
    if (version < request!.policyVersion || (request!.pinned && version > request!.policyVersion))
      return `${id} was run by version ${version}, and version ${request!.policyVersion} was asked for`;
    if (weights.weights(version) === undefined) return `${id} was run by version ${version}, which is not committed`;
  }
  if (group.experience.length === 0) return undefined;
  const experience = decodeExperience(group.experience);
  const payload = learner.open(experience, 'experience');
  let at = 0;
  for (const [i, { id, explored, policyVersion: version }] of trajectories.entries()) {
    const first = at;
    at += experience.trajectoryLengths[i]!;
    const places = Array.from({ length: at - first }, (_, t) => first + t);
    if (places.length === 0 || explored) continue;
    learner.load(weights.weights(version)!);
    const { logProbs } = learner.evaluate([{ payload, temperature: experience.temperature, places, isPart: false }]);
    const wrong = places.findIndex((place, t) => Math.abs(logProbs[t]! - experience.logProbabilities[place]!) > TOLERANCE);
    if (wrong >= 0)
      return `decision ${wrong} of ${id} has log-probability ${experience.logProbabilities[first + wrong]}, and ${logProbs[wrong]} by the weights of version ${version}`;
  }
  return undefined;
}
