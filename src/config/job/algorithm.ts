import type { AlgorithmConfig } from '../../algo/config.ts';
import { methodOf } from '../../algo/registry.ts';

/** What `algorithm:` and the rest of a job allow together. */
export function checkAlgorithm(
  { algorithm, rollout }: { algorithm: AlgorithmConfig; rollout: { groupSize: number; groupsPerRound: number } },
  wrong: (path: string[], got: unknown, message: string) => void,
): void {
  const { groupSize, groupsPerRound } = rollout;
  if (groupSize < 2 && methodOf(algorithm).imitates === undefined) {
    wrong(
      ['rollout', 'groupSize'],
      groupSize,
      `at least 2, since ${algorithm.name} learns from several trajectories of a task; 1 is for methods that imitate a rule (sft)`,
    );
  }
  if (algorithm.miniBatches <= groupsPerRound) return;
  wrong(
    ['algorithm', 'miniBatches'],
    algorithm.miniBatches,
    `at most ${groupsPerRound} (rollout.groupsPerRound), since a mini-batch is made of whole groups`,
  );
}
