import { scoredSubject } from '../../src/protocol/subjects.ts';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { publishWithRoom } from '../../src/bus/backpressure.ts';
import type { Bus, BusMessage } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import {
  Purpose,
  ScoredGroupSchema,
  TrajectoryGroupSchema,
  Verdict,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../../src/gen/millrace/v1/training_pb.ts';
import { keepsArms } from '../../src/config/job/exploration.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { Retrier } from '../../src/flow/retry-later.ts';
import { requestContent } from '../../src/jobs/requests.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { tooLargeGroup } from '../../src/flow/too-large.ts';
import { hasParts, needsParts, publishInParts, readParts, releaseParts } from '../../src/protocol/parts.ts';
import { scoreGroup } from '../../src/reward/score.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { REWARD_WORK } from '../../src/protocol/durables.ts';
import { WorkerHolds } from '../holds/worker-holds.ts';
import { startIntake, type Intake } from '../runtime/intake.ts';
import { loadableRuntime } from '../holds/loadable.ts';
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

/** The message of a scored group. Only its experience may be large, and only its trainer reads that: it goes apart. */
function scoredMessage(bus: Bus, scored: ScoredGroup): { stub: Uint8Array; whole?: Uint8Array } {
  const data = toBinary(ScoredGroupSchema, scored);
  const { experience } = scored;
  if (!needsParts(bus, data.byteLength) || experience.byteLength === 0) return { stub: data };
  return { stub: toBinary(ScoredGroupSchema, { ...scored, experience: new Uint8Array() }), whole: experience };
}

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
    let message = scoredMessage(bus, scored);
    if (message.stub.byteLength > bus.maxMessageBytes) {
      scored = await scoreGroup(tooLargeGroup(group, message.stub.byteLength, bus.maxMessageBytes), scoring);
      message = scoredMessage(bus, scored);
    }
    const { job } = request;
    const kind = request.purpose === Purpose.EVALUATE ? 'evaluate' : 'train';
    const subject = scoredSubject(job, kind);
    const same = { id: request.id, content: requestContent(request), clock };
    if (message.whole === undefined) await publishWithRoom(bus, subject, message.stub, same);
    else await publishInParts(bus, { job, subject, stub: message.stub, whole: message.whole }, same);
    metrics.count('groups_scored_total', { job: request.job, verdict: Verdict[scored.verdict] });
  };

  /** The group with all of its parts; undefined when they are lost, and the message given up. */
  const wholeGroup = async (message: BusMessage, stub: TrajectoryGroup): Promise<TrajectoryGroup | undefined> => {
    if (!hasParts(message)) return stub;
    try {
      return fromBinary(TrajectoryGroupSchema, await readParts(bus, message));
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code !== 'data_loss') throw error;
      message.term(error.message);
      return undefined;
    }
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
      if (!isEnded(state)) {
        const whole = await wholeGroup(message, group);
        if (whole === undefined) return;
        if (await holds.work(id, message, (retrier) => score(whole, entry.record, retrier))) return;
      }
      await message.ack();
      await releaseParts(bus, message).catch((error: unknown) => {
        log.warn({ err: error, job: id }, 'parts of a group stay until the job ends');
      });
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
