import type { AlgorithmConfig } from '../algo/config.ts';
import { groupCredit } from '../algo/credit/group-credit.ts';
import type { TrajectoryGroup } from '../gen/millrace/v1/training_pb.ts';
import type { StepScore } from '../records/step-scores.ts';
import type { Assessment } from './assess.ts';

/** How a group was judged. */
export interface JudgedGroup {
  assessments: readonly Assessment[];
  /** Of each trajectory, where they are known. */
  advantages: readonly number[];
  /** It trains the policy, and there is something to learn from it. */
  training: boolean;
  learns: boolean;
}

const UNKNOWN: StepScore = { reward: null, advantage: null };

/**
 * Reward and advantage of every step of a group, trajectory after trajectory. Where the reward does not say how it is shared out, it is
 * the last step's. Trajectories that failed have neither, flows that measure have no advantages.
 */
export function stepScores(group: TrajectoryGroup, judged: JudgedGroup, algorithm: AlgorithmConfig): StepScore[] {
  const { assessments, training } = judged;
  const lengths = group.trajectories.map(({ steps }) => steps);
  const credit = training ? creditOf(group, judged, { lengths, algorithm }) : undefined;
  return assessments.flatMap((assessment, i) => {
    const steps = lengths[i]!;
    if ('failure' in assessment) return Array.from({ length: steps }, () => UNKNOWN);
    const { reward, stepRewards } = assessment;
    return Array.from({ length: steps }, (_, t) => ({
      reward: Math.fround(stepRewards[t] ?? (t === steps - 1 ? reward : 0)),
      advantage: credit === undefined ? null : Math.fround(credit[i]?.[t] ?? 0),
    }));
  });
}

/** By trajectory; none of those from which nothing is learned. Rewards travel to the round as numbers of 32 bits. */
function creditOf(
  group: TrajectoryGroup,
  { assessments, advantages, learns }: JudgedGroup,
  { lengths, algorithm }: { lengths: readonly number[]; algorithm: AlgorithmConfig },
): readonly (readonly number[])[] | undefined {
  if (!learns) return [];
  const rewards = assessments.map((assessment) => ('reward' in assessment ? Math.fround(assessment.reward) : 0));
  const stepRewards = assessments.map((assessment) => ('reward' in assessment ? assessment.stepRewards.map(Math.fround) : []));
  return groupCredit(
    {
      rewards,
      stepRewards,
      valid: assessments.map((assessment) => 'reward' in assessment),
      explored: group.trajectories.map(({ explored }) => explored),
      advantages,
    },
    lengths,
    algorithm,
  );
}
