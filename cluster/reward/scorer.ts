import { keepsArms } from '../../src/config/job/exploration.ts';
import type { Retrier } from '../../src/flow/retry-later.ts';
import { tooLargeGroup } from '../../src/flow/too-large.ts';
import { Verdict, type TrajectoryGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { scoreGroup } from '../../src/reward/score.ts';
import { loadableRuntime } from '../holds/loadable.ts';
import { JobSpending } from '../jobs/job-spending.ts';
import type { NodeContext } from '../runtime/context.ts';
import { CustomRewards } from './custom-rewards.ts';
import { publishScored, scoredMessage } from './publish-scored.ts';

/** How one group is worked on. */
export interface ScoreOptions {
  /** Through which its calls of services are made. */
  retrier: Retrier | undefined;
  /** Aborts when waiting for the job's code to be loadable should end. */
  draining: AbortSignal;
}

/** Scores groups and publishes them with their scores. */
export class Scorer {
  readonly #context: NodeContext;
  readonly #timeoutMs: number;
  readonly #custom: CustomRewards;
  readonly #spending: JobSpending;
  readonly #stopChanges: () => void;

  /** @param timeoutMs - time limit of one reward call */
  constructor(context: NodeContext, timeoutMs: number) {
    this.#context = context;
    this.#timeoutMs = timeoutMs;
    this.#custom = new CustomRewards(context);
    this.#spending = new JobSpending(context);
    this.#stopChanges = context.jobs.onChange(({ record }) => {
      if (!isEnded(record.state)) return;
      context.runtimes.forget(record.id);
      void this.#custom.forget(record.id);
    });
  }

  /** Scores and publishes a group; does nothing for a job that ends before its code can be loaded. */
  async score(group: TrajectoryGroup, record: JobRecord, { retrier, draining }: ScoreOptions): Promise<void> {
    const { bus, clock, random, id: node, metrics } = this.#context;
    const runtime = await loadableRuntime(this.#context, record, draining);
    if (!runtime) return;
    const { flow, config } = runtime;
    const scoring = {
      flow,
      context: await runtime.context(),
      algorithm: config.algorithm,
      reward: config.reward,
      custom: this.#custom.of(record.id, runtime),
      passSignals: keepsArms(config),
      node,
      timeoutMs: this.#timeoutMs,
      clock,
      retrier,
    };
    await this.#spending.use(record, async ({ cover, ...spending }) => {
      let scored = await scoreGroup(group, { ...scoring, spending });
      let message = scoredMessage(bus, scored);
      const { byteLength } = message.stub;
      if (byteLength > bus.maxMessageBytes) {
        // Members that have failed are not judged, so nothing is paid for twice.
        scored = await scoreGroup(tooLargeGroup(group, byteLength, bus.maxMessageBytes), scoring);
        message = scoredMessage(bus, scored);
      }
      await cover();
      await publishScored({ bus, clock, random }, group, message);
      metrics.count('groups_scored_total', { job: record.id, verdict: Verdict[scored.verdict] });
    });
  }

  async close(): Promise<void> {
    this.#stopChanges();
    await this.#spending.stop();
    await this.#custom.close();
  }
}
