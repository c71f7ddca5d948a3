import type { MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { ExperimentArm, ExperimentState, type ExperimentSchema } from '../../../src/gen/millrace/v1/adapters_pb.ts';
import type { Arm } from '../../../src/jobs/experiments/assignment.ts';
import type { Experiment } from '../../../src/jobs/experiments/experiment.ts';

const ARM = { champion: ExperimentArm.CHAMPION, candidate: ExperimentArm.CANDIDATE } as const;

/** A side of an experiment; unspecified where there is none. */
export const armMessage = (arm: Arm | undefined): ExperimentArm => (arm === undefined ? ExperimentArm.UNSPECIFIED : ARM[arm]);

/** An experiment as the admin API shows it. */
export function experimentMessage(experiment: Experiment): MessageInitShape<typeof ExperimentSchema> {
  const { id, agent, champion, candidate, share, alpha, minPairs, maxPairs, owner, tally, evidence, decision } = experiment;
  const { wins, losses, ties, counted, sums } = tally;
  const counts = (arm: Arm): { units: number; meanReward: number } => ({
    units: counted[arm],
    meanReward: counted[arm] === 0 ? 0 : sums[arm] / counted[arm],
  });
  const { endedAt } = experiment;
  return {
    ...{ id, agent, champion, candidate, share, alpha, minPairs, maxPairs, owner, wins, losses, ties, evidence },
    threshold: 1 / alpha,
    state: ExperimentState[experiment.state],
    rewardWithin: durationFromMs(experiment.rewardWithinMs),
    createTime: timestampFromMs(experiment.createdAt),
    ...(endedAt !== undefined && { endTime: timestampFromMs(endedAt) }),
    championCounts: counts('champion'),
    candidateCounts: counts('candidate'),
    ...(decision && { decision: decisionMessage(decision) }),
  };
}

function decisionMessage({ at, ...decision }: NonNullable<Experiment['decision']>) {
  return { ...decision, time: timestampFromMs(at) };
}
