import { STEP_REWARDS } from '../algorithms/examples.ts';

/** One configuration of examples/retail. */
export interface EfficiencyRow {
  label: string;
  /** Overrides of the job file. */
  overrides: readonly string[];
  /** Takes the place of the job file's `algorithm:` block. */
  algorithm?: Readonly<Record<string, unknown>>;
}

const LARGE = ['rollout.groupSize=16', 'rollout.groupsPerRound=8'];
const SMALL = ['rollout.groupSize=8', 'rollout.groupsPerRound=4'];
const UPDATES = { epochs: 2, miniBatches: 2 };
const GRPO = { name: 'grpo', entropy: 0.1, ...UPDATES };
const PPO = { name: 'ppo', entropy: 0.05, ...UPDATES, value: { gamma: 0.95, lambda: 0.9 } };

/** Shaping that cannot change which policy is best; discounted as the method discounts. */
const POTENTIAL = 'reward.components=[{name: outcome, weight: 1}, {name: potential, weight: 1, gamma: 0.95}]';

/** Configurations from the plainest on. */
export const EFFICIENCY_ROWS: readonly EfficiencyRow[] = [
  { label: 'grpo, 8 groups of 16, one update', overrides: LARGE, algorithm: { name: 'grpo', entropy: 0.06 } },
  { label: 'grpo, 4 groups of 8, one update', overrides: SMALL, algorithm: { name: 'grpo', entropy: 0.1 } },
  { label: 'grpo, 4 groups of 8, four updates', overrides: SMALL, algorithm: GRPO },
  { label: 'the same with a curriculum', overrides: [...SMALL, 'curriculum.enabled=true'], algorithm: GRPO },
  {
    label: 'the same with rewards and returns of steps',
    overrides: [...SMALL, STEP_REWARDS],
    algorithm: { ...GRPO, entropy: 0.05, credit: { kind: 'return-to-go', gamma: 0.9 } },
  },
  { label: 'ppo, four updates', overrides: SMALL, algorithm: PPO },
  { label: 'ppo, four updates, potential alone', overrides: [...SMALL, POTENTIAL], algorithm: PPO },
  { label: 'ppo, four updates, rewards of steps', overrides: [...SMALL, STEP_REWARDS], algorithm: PPO },
  {
    label: 'the same, η = 0',
    overrides: [...SMALL, STEP_REWARDS, 'rollout.maxStaleness=0'],
    algorithm: PPO,
  },
];
