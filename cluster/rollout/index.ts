import { fromBinary } from '@bufbuild/protobuf';
import { RolloutRequestSchema, type RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';
import { GROUPS_AT_ONCE, ROLLOUT_WORK } from '../../src/protocol/durables.ts';
import { wasHeld } from '../holds/held-messages.ts';
import { WorkerHolds } from '../holds/worker-holds.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { ofJob } from '../runtime/of-job.ts';
import { DONE } from '../runtime/outcome.ts';
import { Worker } from '../runtime/worker.ts';
import { RolloutGroups } from './groups.ts';
import { RolloutJobs } from './jobs.ts';
import { LiveTasks } from './served.ts';

/** Options of the rollout role. */
export interface RolloutOptions {
  /** Groups run at the same time. Default 4: with more, groups of a round overtake those of the round before, which then expire. */
  maxGroups?: number;
  /** The process before this one died at its work. Default false. */
  afterCrash?: boolean;
}

/**
 * A rollout actor takes requests from the work queue, runs the flows of each group at once with their policy calls batched,
 * and publishes the finished group. It owns nothing durable: a request is acknowledged only after its group is published, so
 * a lost worker means that another one runs the same request again. It also solves live tasks, see {@link LiveTasks}.
 */
export async function startRollout(context: NodeContext, options: RolloutOptions = {}): Promise<Role> {
  const maxGroups = options.maxGroups ?? GROUPS_AT_ONCE;
  const jobs = new RolloutJobs(context);
  const groups = new RolloutGroups(context, jobs);
  const holds = new WorkerHolds(context, { onWaiting: (messages) => worker.extend(messages) });
  const worker: Worker<RolloutRequest> = new Worker(context, {
    listedAs: { role: 'rollout', name: 'worker' },
    durable: { ...ROLLOUT_WORK, maxInFlight: maxGroups },
    expects: 'RolloutRequest',
    decode: ({ data }) => fromBinary(RolloutRequestSchema, data),
    handle: ofJob(
      context,
      (request) => request.job,
      async (request, job, { message, draining }) => {
        const mayHaveEnded = message.deliveryCount > 1 || wasHeld(message) || request.attempt > 0;
        if (mayHaveEnded && (await groups.haveEnded(request))) return DONE;
        return holds.work(job.id, message, (retrier) => groups.run(request, job, { retrier, draining }));
      },
    ),
    suspects: { afterCrash: options.afterCrash ?? false, onSuspect: () => holds.flush() },
  });
  await worker.start();
  const live = new LiveTasks(context);
  return {
    name: 'rollout',
    labels: { groups: String(maxGroups) },
    async stop(timeoutMs = 5000) {
      holds.stop();
      await Promise.all([worker.stop(timeoutMs), live.stop(timeoutMs)]);
      groups.abort();
      await groups.close();
      await jobs.close();
    },
  };
}
