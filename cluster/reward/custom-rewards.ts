import { rewardComponents, DEFAULT_REWARD_TIMEOUT_MS } from '../../src/config/job/reward.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { AskCustom } from '../../src/reward/assess.ts';
import { CustomReward } from '../../src/reward/custom/custom-reward.ts';
import type { NodeContext } from '../runtime/context.ts';

/** The threads of this process's custom reward functions, by job and component; each starts with its first call. */
export class CustomRewards {
  readonly #outside: NodeContext['outside'];
  readonly #code: NodeContext['code'];
  readonly #jobs = new Map<string, Map<string, CustomReward>>();

  constructor({ outside, code }: Pick<NodeContext, 'outside' | 'code'>) {
    this.#outside = outside;
    this.#code = code;
  }

  /** Asks the functions of a job; undefined when it has none. */
  of({ id: job, config, code }: Pick<JobRecord, 'id' | 'config' | 'code'>): AskCustom | undefined {
    let rewards = this.#jobs.get(job);
    if (rewards === undefined) {
      const { flow, data, source: options, seed } = config;
      const snapshot = code === undefined ? undefined : this.#code?.file(code);
      rewards = new Map(
        rewardComponents(config.reward).flatMap(({ name, module, timeoutMs = DEFAULT_REWARD_TIMEOUT_MS }) =>
          module === undefined
            ? []
            : [[name, new CustomReward({ module, timeoutMs, source: { flow, data, options, seed }, snapshot })] as const],
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
