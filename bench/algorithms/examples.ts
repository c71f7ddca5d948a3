/**
 * Rewards of single steps for retail: what a step did to the share of records that are as they should be. The potential counts as
 * 0 after the last step, and `progress` gives back there what that takes. Groups that all fail teach who failed less badly.
 */
export const STEP_REWARDS = [
  'reward.signal=reward',
  'reward.components=[{name: outcome, weight: 1}, {name: potential, weight: 1, gamma: 1}, {name: progress, weight: 1}]',
];

/** What a table of trials is made on. */
export interface ExampleTrial {
  job: string;
  /** Overrides of the job file that hold for every row. */
  overrides: readonly string[];
  /** Weight of the entropy bonus, for every method: the `algorithm:` block of the job file is left out. */
  entropy: number;
  /** Single steps have rewards. Default: the outcome is all. */
  steps?: boolean;
  /** Held-out success that counts as learned. */
  target: number;
}

/**
 * The examples, by name. Their rounds are fewer than in the job files: long enough to tell the methods apart, and short
 * enough for three seeds of all of them.
 */
export const EXAMPLES = {
  retail: {
    job: 'bench/train/retail-grpo.yaml',
    overrides: ['rollout.groupsPerRound=4', 'rollout.groupSize=8', 'rounds=320', 'evaluation.every=20', ...STEP_REWARDS],
    steps: true,
    entropy: 0.1,
    target: 0.85,
  },
  'word-problems': {
    job: 'examples/word-problems/job.yaml',
    overrides: ['rollout.groupsPerRound=8', 'rollout.groupSize=16', 'rounds=100', 'evaluation.every=10'],
    entropy: 0.05,
    target: 0.85,
  },
  'game-of-24': {
    job: 'examples/game-of-24/job.yaml',
    overrides: ['rollout.groupsPerRound=8', 'rollout.groupSize=16', 'rounds=240', 'evaluation.every=10'],
    entropy: 0.1,
    target: 0.85,
  },
} as const satisfies Readonly<Record<string, ExampleTrial>>;

/** One of {@link EXAMPLES}. */
export type ExampleName = keyof typeof EXAMPLES;

/** What every trial of a table shares, whatever its row. */
export const EVERYWHERE: readonly string[] = ['evaluation.baselines=false', 'checkpoint.keep=1'];
