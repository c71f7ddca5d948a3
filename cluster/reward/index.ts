import { fromBinary } from '@bufbuild/protobuf';
import { MillraceError } from '../../src/errors.ts';
import { TrajectoryGroupSchema, type TrajectoryGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { REWARD_WORK } from '../../src/protocol/durables.ts';
import { WorkerHolds } from '../holds/worker-holds.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { ofJob } from '../runtime/of-job.ts';
import { refuse, type Refusal } from '../runtime/outcome.ts';
import { Worker } from '../runtime/worker.ts';
import { Scorer } from './scorer.ts';

/** Options of the reward role. */
export interface RewardOptions {
  /** Groups scored at the same time. Default 16. */
  maxGroups?: number;
  /** Time limit of one reward call. Default 30_000 ms. */
  timeoutMs?: number;
  /** The process before this one died at its work. Default false. */
  afterCrash?: boolean;
}

/**
 * A reward actor scores finished groups: outcome and shaped reward of every valid trajectory, then the group's advantages. It
 * owns nothing durable; a group is acknowledged only after its scores are published.
 */
export async function startReward(context: NodeContext, options: RewardOptions = {}): Promise<Role> {
  const scorer = new Scorer(context, options.timeoutMs ?? 30_000);
  const holds = new WorkerHolds(context, { onWaiting: (messages) => worker.extend(messages) });
  const worker: Worker<TrajectoryGroup> = new Worker(context, {
    listedAs: { role: 'reward', name: 'worker' },
    durable: { ...REWARD_WORK, maxInFlight: options.maxGroups ?? 16 },
    expects: 'TrajectoryGroup',
    decode: ({ data }) => groupOf(data),
    handle: ofJob(
      context,
      (group) => group.request!.job,
      async (stub, job, delivery) => {
        const { bytes, lost } = await delivery.parts();
        if (lost) return lost;
        const group = bytes ? wholeOf(stub, bytes) : stub;
        if ('kind' in group) return group;
        const { message, draining } = delivery;
        return holds.work(job.id, message, (retrier) => scorer.score(group, job, { retrier, draining }));
      },
    ),
    suspects: { afterCrash: options.afterCrash ?? false, onSuspect: () => holds.flush() },
  });
  await worker.start();
  return {
    name: 'reward',
    async stop(timeoutMs = 5000) {
      holds.stop();
      await worker.stop(timeoutMs);
      await scorer.close();
    },
  };
}

function groupOf(data: Uint8Array): TrajectoryGroup {
  const group = fromBinary(TrajectoryGroupSchema, data);
  if (!group.request) throw new MillraceError('invalid_argument', 'the group has no request', { field: 'request' });
  return group;
}

/** The group that a stub stands for; the refusal of bytes that are none, or another one's. */
function wholeOf(stub: TrajectoryGroup, bytes: Uint8Array): TrajectoryGroup | Refusal {
  try {
    const group = groupOf(bytes);
    return group.request!.id === stub.request!.id ? group : refuse(`its parts are of the request ${group.request!.id}`);
  } catch (error) {
    return refuse(`its parts are not a TrajectoryGroup: ${MillraceError.from(error).message}`);
  }
}
