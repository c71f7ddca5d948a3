import { setMaxListeners } from 'node:events';
import { runGroup } from '../../src/flow/group.ts';
import { MicroBatcher } from '../../src/policy/inference/micro-batcher.ts';
import type { Retrier } from '../../src/flow/retry-later.ts';
import { Purpose, type RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';
import { hasEnded } from '../../src/jobs/ledger.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { signalNeeds } from '../../src/reward/needs.ts';
import { loadableRuntime } from '../holds/loadable.ts';
import { JobSpending } from '../jobs/job-spending.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { RolloutJobs } from './jobs.ts';
import { measureGroup } from './measure.ts';
import { publishGroup } from './publish-group.ts';
import { ToolTimeouts } from './tool-timeouts.ts';

/** How one request is worked on. */
export interface GroupRunOptions {
  /** Through which its calls of services are made. */
  retrier: Retrier | undefined;
  /** Aborts when waiting for the job's code to be loadable should end. */
  draining: AbortSignal;
}

/** Runs the groups that requests ask for. */
export class RolloutGroups {
  readonly #context: NodeContext;
  readonly #jobs: RolloutJobs;
  readonly #batcher: MicroBatcher;
  readonly #spending: JobSpending;
  readonly #aborted = new AbortController();

  constructor(context: NodeContext, jobs: RolloutJobs) {
    this.#context = context;
    this.#jobs = jobs;
    this.#spending = new JobSpending(context);
    const batcher = new MicroBatcher({ clock: context.clock });
    this.#batcher = batcher;
    // Every flow in a tool listens to it.
    setMaxListeners(0, this.#aborted.signal);
    context.metrics.onScrape(() => {
      context.metrics.total('policy_calls_total', {}, batcher.stats.calls);
      context.metrics.total('policy_batches_total', {}, batcher.stats.batches);
    });
  }

  /** Runs the group and publishes it; does nothing for a job that ends before its code can be loaded. */
  async run(request: RolloutRequest, record: JobRecord, { retrier, draining }: GroupRunOptions): Promise<void> {
    const { clock, random, metrics, id: node, bus } = this.#context;
    const { signal } = this.#aborted;
    if (!(await loadableRuntime(this.#context, record, draining))) return;
    const { runtime, policy, actor } = await this.#jobs.of(record);
    const flowContext = await runtime.context();
    const started = clock.monotonic();
    const timeouts = new ToolTimeouts();
    await this.#spending.use(record, async ({ cover, ...spending }) => {
      const group = await runGroup({
        request,
        flow: runtime.flow,
        context: flowContext,
        policy: { source: policy, actor, inference: this.#batcher },
        exploration: runtime.config.exploration,
        signals: signalNeeds(runtime.config),
        maxResamples: runtime.config.rollout.maxResamples,
        stateBytes: runtime.config.rollout.stateBytes,
        node,
        clock,
        signal,
        retrier,
        spending,
        onTimeout: (tool) => timeouts.count(tool),
      });
      await cover();
      const sent = await publishGroup(bus, group, { clock, random, signal });
      measureGroup(metrics, sent, (clock.monotonic() - started) / 1000);
    });
    await timeouts.publish(this.#context, request);
  }

  /**
   * The ledger says that the request has ended: another worker answered it and died before it acknowledged it. A second run might come
   * out otherwise than what was trained on and stored.
   */
  async haveEnded({ job, purpose, sequence }: RolloutRequest): Promise<boolean> {
    if (purpose !== Purpose.TRAIN) return false;
    const { manifest } = (await this.#context.weights.latest(job)) ?? {};
    return manifest?.ledger !== undefined && hasEnded(manifest.ledger, sequence);
  }

  /** Breaks off what still runs. */
  abort(): void {
    this.#aborted.abort();
  }

  /** Gives back the money that was not spent. */
  close(): Promise<void> {
    return this.#spending.stop();
  }
}
