import { unsuitable } from '../../src/algo/dapo/dynamic-sampling.ts';
import type { ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';

/** Why a round of `needed` groups drew all it may and still lacks groups with a signal, in words. */
export function unsuitableTasks(drawn: readonly Pick<ScoredGroup, 'scores'>[], needed: number): string {
  const outcomes = drawn.flatMap(({ scores }) => scores.filter(({ valid }) => valid).map(({ outcome }) => outcome));
  const success = drawn.flatMap(({ scores }) => scores.filter(({ valid }) => valid)).filter((score) => score.success).length;
  const rate = outcomes.length === 0 ? 0 : success / outcomes.length;
  const kind = unsuitable(rate);
  const advice =
    kind === 'too easy'
      ? 'end the job, add harder tasks or turn on curriculum'
      : 'add easier tasks, shape the reward, raise rollout.temperature or rollout.groupSize';
  return `tasks ${kind}: ${drawn.length} groups drawn and fewer than ${needed} had outcomes that differ (${Math.round(100 * rate)} % of the trajectories succeeded); ${advice}`;
}
