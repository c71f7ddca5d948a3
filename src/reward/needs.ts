import { rewardComponents, type RewardConfig } from '../config/job/reward.ts';
import type { SignalNeeds } from '../flow/signals.ts';

/** What the rollout workers of a job must say about each step so that its reward can be put together. */
export function signalNeeds(reward: RewardConfig): SignalNeeds {
  const components = rewardComponents(reward);
  const names = new Set(components.map(({ name }) => name));
  const custom = components.some(({ module }) => module !== undefined);
  return { steps: custom || names.has('tool-success') || names.has('verification'), potential: names.has('potential') };
}
