import type { AlgorithmConfig } from '../../algo/config.ts';

/** What `algorithm:` and the rest of a job allow together. */
export function checkAlgorithm(
  { algorithm, rollout }: { algorithm: AlgorithmConfig; rollout: { groupsPerRound: number } },
  wrong: (path: string[], got: unknown, message: string) => void,
): void {
  const { groupsPerRound } = rollout;
  if (algorithm.miniBatches <= groupsPerRound) return;
  wrong(
    ['algorithm', 'miniBatches'],
    algorithm.miniBatches,
    `at most ${groupsPerRound} (rollout.groupsPerRound), since a mini-batch is made of whole groups`,
  );
}
