import { rewardComponents, DEFAULT_REWARD_TIMEOUT_MS } from '../../src/config/job/reward.ts';
import type { AskCustom } from '../../src/reward/assess.ts';
import { CustomReward } from '../../src/reward/custom/custom-reward.ts';
import { bundledRewards } from '../jobs/bundles.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import type { NodeContext } from '../runtime/context.ts';

/** The threads of this process's custom reward functions, by job and component; each starts with its first call. */
export class CustomRewards {
  readonly #outside: NodeContext['outside'];
  readonly #jobs = new Map<string, Map<string, CustomReward>>();

  constructor({ outside }: Pick<NodeContext, 'outside'>) {
    this.#outside = outside;
  }

  /** Asks the functions of a job; undefined when it has none. */
  of(job: string, { config, bundle }: Pick<JobRuntime, 'config' | 'bundle'>): AskCustom | undefined {
    let rewards = this.#jobs.get(job);
    if (rewards === undefined) {
      const { flow, source: options, seed } = config;
      const source = { flow, data: bundle?.data ?? config.data, options, seed };
      const bundledReward = bundledRewards(config, bundle);
      rewards = new Map(
        rewardComponents(config.reward).flatMap(({ name, module, timeoutMs = DEFAULT_REWARD_TIMEOUT_MS }) =>
          module === undefined
            ? []
            : [[name, new CustomReward({ module, timeoutMs, source, bundled: bundledReward(module) })] as const],
        ),
      );
      this.#jobs.set(job, rewards);
    }
    const known = rewards;
    return known.size === 0 ? undefined : (component, call) => this.#outside(known.get(component)!.call(call));
  }

  /** Ends the threads of a job. */
  async forget(job: string): Promise<void> {
    const rewards = this.#jobs.get(job);
    this.#jobs.delete(job);
    await Promise.all([...(rewards?.values() ?? [])].map((reward) => reward.close()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map((job) => this.forget(job)));
  }
}
