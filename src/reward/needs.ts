import { keepsArms, type ExplorationJob } from '../config/job/exploration.ts';
import { rewardComponents, type RewardConfig } from '../config/job/reward.ts';
import type { SignalNeeds } from '../flow/signals.ts';

/** What the rollout workers of a job must say about each step, for its reward and for exploration. */
export function signalNeeds(job: { reward: RewardConfig } & Pick<ExplorationJob, 'exploration'>): SignalNeeds {
  const components = rewardComponents(job.reward);
  const names = new Set(components.map(({ name }) => name));
  const custom = components.some(({ module }) => module !== undefined);
  return {
    steps: custom || names.has('tool-success') || names.has('verification') || keepsArms(job),
    potential: names.has('potential'),
  };
}
