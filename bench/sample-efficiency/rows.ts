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
const GRPO = { name: 'grpo', entropy: 0.1, epochs: 2, miniBatches: 2 };
/** What examples/retail/outcome-only.yaml has. */
const PAIRS = ['rollout.groupSize=2', 'rollout.groupsPerRound=32', 'optimizer.learningRate=3e-3'];
const PPO = {
  ...{ name: 'ppo', entropy: 0.03, finalEntropy: 0.3, aggregation: 'decision', epochs: 4, miniBatches: 8 },
  value: { gamma: 1, lambda: 0.95 },
};
/** Advantages of single steps, and eight updates a round. */
const STEPS = { name: 'grpo', entropy: 0.15, epochs: 2, miniBatches: 4, credit: { kind: 'return-to-go', gamma: 0.9 } };

/** Shaping that cannot change which policy is best; discounted as the method discounts. */
const POTENTIAL = 'reward.components=[{name: outcome, weight: 1}, {name: potential, weight: 1, gamma: 0.9}]';

/** Configurations from the plainest on. */
export const EFFICIENCY_ROWS: readonly EfficiencyRow[] = [
  { label: 'grpo, 8 groups of 16, one update', overrides: LARGE, algorithm: { name: 'grpo', entropy: 0.06 } },
  { label: 'grpo, 4 groups of 8, four updates', overrides: SMALL, algorithm: GRPO },
  { label: 'ppo, 32 groups of 2, 32 updates', overrides: PAIRS, algorithm: PPO },
  { label: 'the potential alone, eight updates', overrides: [...SMALL, POTENTIAL], algorithm: STEPS },
  { label: 'rewards of steps, eight updates', overrides: [...SMALL, ...STEP_REWARDS], algorithm: STEPS },
  {
    label: 'rewards of steps and a curriculum',
    overrides: [...SMALL, ...STEP_REWARDS, 'curriculum.enabled=true'],
    algorithm: STEPS,
  },
  {
    label: 'rewards of steps, a quarter of each group explores',
    overrides: [...SMALL, ...STEP_REWARDS, 'exploration.forced={share: 0.25, mode: thompson}'],
    algorithm: STEPS,
  },
  {
    label: 'rewards of steps, a value baseline (ppo)',
    overrides: [...SMALL, ...STEP_REWARDS],
    algorithm: { name: 'ppo', entropy: 0.05, epochs: 2, miniBatches: 4, value: { gamma: 0.95, lambda: 0.9 } },
  },
];
