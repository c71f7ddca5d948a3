import { scoredSubject } from '../../src/protocol/subjects.ts';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { publishWithRoom } from '../../src/bus/backpressure.ts';
import type { BusMessage } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import {
  Purpose,
  ScoredGroupSchema,
  TrajectoryGroupSchema,
  Verdict,
  type TrajectoryGroup,
} from '../../src/gen/millrace/v1/training_pb.ts';
import { keepsArms } from '../../src/config/job/exploration.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { Retrier } from '../../src/flow/retry-later.ts';
import { requestContent } from '../../src/jobs/requests.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { tooLargeGroup } from '../../src/flow/too-large.ts';
import { scoreGroup } from '../../src/reward/score.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { REWARD_WORK } from '../../src/protocol/durables.ts';
import { WorkerHolds } from '../holds/worker-holds.ts';
import { startIntake, type Intake } from '../runtime/intake.ts';
import { loadableRuntime } from '../jobs/loadable.ts';
import { CustomRewards } from './custom-rewards.ts';

/** Options of the reward role. */
export interface RewardOptions {
  /** Groups scored at the same time. Default 16. */
  maxGroups?: number;
  /** Time limit of one reward call. Default 30_000 ms. */
  timeoutMs?: number;
  /** The process before this one died at its work. Default false. */
  afterCrash?: boolean;
}

const RETRY_DELAY_MS = 500;

/**
 * A reward actor scores finished groups: outcome and shaped reward of every valid trajectory, then the group's advantages. It
 * owns nothing durable; a group is acknowledged only after its scores are published.
 */
export async function startReward(context: NodeContext, options: RewardOptions = {}): Promise<Role> {
  const { bus, jobs, clock, log, metrics } = context;
  const customRewards = new CustomRewards(context);
  /** Ends waits for code to be put back. */
  const stopping = new AbortController();
  const stopChanges = jobs.onChange(({ record }) => {
    if (!isEnded(record.state)) return;
    context.runtimes.forget(record.id);
    void customRewards.forget(record.id);
  });

  const score = async (group: TrajectoryGroup, record: JobRecord, retrier: Retrier | undefined): Promise<void> => {
    const request = group.request!;
    const runtime = await loadableRuntime(context, record, stopping.signal);
    if (!runtime) return;
    const flowContext = await runtime.context();
    const scoring = {
      flow: runtime.flow,
      context: flowContext,
      algorithm: runtime.config.algorithm,
      reward: runtime.config.reward,
      custom: customRewards.of(record.id, runtime),
      passSignals: keepsArms(runtime.config),
      node: context.id,
      timeoutMs: options.timeoutMs ?? 30_000,
      clock,
      retrier,
    };
    let scored = await scoreGroup(group, scoring);
    let data = toBinary(ScoredGroupSchema, scored);
    if (data.byteLength > bus.maxMessageBytes) {
      scored = await scoreGroup(tooLargeGroup(group, data.byteLength, bus.maxMessageBytes), scoring);
      data = toBinary(ScoredGroupSchema, scored);
    }
    const kind = request.purpose === Purpose.EVALUATE ? 'evaluate' : 'train';
    const same = { id: request.id, content: requestContent(request) };
    await publishWithRoom(bus, scoredSubject(request.job, kind), data, { ...same, clock });
    metrics.count('groups_scored_total', { job: request.job, verdict: Verdict[scored.verdict] });
  };

  const handle = async (message: BusMessage): Promise<void> => {
    let group: TrajectoryGroup;
    try {
      group = fromBinary(TrajectoryGroupSchema, message.data);
      if (!group.request) throw new MillraceError('invalid_argument', 'the group has no request', { field: 'request' });
    } catch (error) {
      message.term(`not a TrajectoryGroup: ${MillraceError.from(error).message}`);
      return;
    }
    try {
      const entry = await jobs.find(group.request.job);
      if (!entry) {
        message.term(`there is no job "${group.request.job}"`);
        return;
      }
      const { id, state } = entry.record;
      if (!isEnded(state) && (await holds.work(id, message, (retrier) => score(group, entry.record, retrier)))) return;
      await message.ack();
    } catch (thrown) {
      log.warn({ err: thrown, request: group.request.id, delivery: message.deliveryCount }, 'group handed back to the queue');
      message.nak(RETRY_DELAY_MS);
    }
  };

  let intake: Intake | undefined = undefined;
  const holds = new WorkerHolds(context, { onWaiting: (messages) => intake?.extend(messages) });
  intake = await startIntake(
    context,
    {
      ...REWARD_WORK,
      maxInFlight: options.maxGroups ?? 16,
      afterCrash: options.afterCrash ?? false,
      onSuspect: () => holds.flush(),
    },
    handle,
  );
  const actor = context.actors.spawn('reward', 'worker', { receive: () => {} });

  return {
    name: 'reward',
    async stop(timeoutMs = 5000) {
      stopChanges();
      holds.stop();
      stopping.abort();
      await intake.stop(timeoutMs);
      await customRewards.close();
      await actor.stop();
    },
  };
}
