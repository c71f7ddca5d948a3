import { groupSubject } from '../../src/protocol/subjects.ts';
import { setMaxListeners } from 'node:events';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { publishWithRoom, type RoomOptions } from '../../src/bus/backpressure.ts';
import type { Bus, BusMessage } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { runGroup } from '../../src/flow/group.ts';
import { tooLargeGroup } from '../../src/flow/too-large.ts';
import { MicroBatcher } from '../../src/flow/micro-batcher.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import {
  Purpose,
  RolloutRequestSchema,
  TrajectoryGroupSchema,
  type RolloutRequest,
  type TrajectoryGroup,
} from '../../src/gen/millrace/v1/training_pb.ts';
import { keepsArms } from '../../src/config/job/exploration.ts';
import type { Retrier } from '../../src/flow/retry-later.ts';
import { hasEnded } from '../../src/jobs/ledger.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { requestContent } from '../../src/jobs/requests.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { maxBytesInParts, needsParts, publishInParts } from '../../src/protocol/parts.ts';
import { signalNeeds } from '../../src/reward/needs.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { ROLLOUT_WORK } from '../../src/protocol/durables.ts';
import { wasHeld } from '../holds/held-messages.ts';
import { WorkerHolds } from '../holds/worker-holds.ts';
import { startIntake, type Intake } from '../runtime/intake.ts';
import { JobEvents } from '../jobs/events.ts';
import { loadableRuntime } from '../holds/loadable.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import { FollowedPolicy } from './policies.ts';
import type { PolicyActor } from '../../src/policy/kind.ts';
import { actorOf } from '../../src/policy/registry.ts';

/** Options of the rollout role. */
export interface RolloutOptions {
  /** Groups run at the same time. Default 4: with more, groups of a round overtake those of the round before, which then expire. */
  maxGroups?: number;
  /** The process before this one died at its work. Default false. */
  afterCrash?: boolean;
}

/** What a rollout actor keeps per job. */
interface JobState {
  runtime: JobRuntime;
  policy: FollowedPolicy;
  actor: PolicyActor;
}

/** Publishes a finished group, whole or in parts. */
async function publishGroup(
  bus: Bus,
  request: RolloutRequest,
  whole: Uint8Array,
  room: Pick<RoomOptions, 'clock' | 'signal'>,
): Promise<void> {
  const { job, id } = request;
  const options = { ...room, id, content: requestContent(request) };
  const subject = groupSubject(job);
  if (!needsParts(bus, whole.byteLength)) return publishWithRoom(bus, subject, whole, options);
  const stub = toBinary(TrajectoryGroupSchema, create(TrajectoryGroupSchema, { request }));
  await publishInParts(bus, { job, subject, stub, whole }, options);
}

/** Groups of flows that a worker runs at once. */
export const GROUPS_AT_ONCE = 4;
const RETRY_DELAY_MS = 500;

/**
 * A rollout actor takes requests from the work queue, runs the flows of each group at once with their policy calls batched,
 * and publishes the finished group. It owns nothing durable: a request is acknowledged only after its group is published, so
 * a lost worker means that somebody else runs the same request again.
 */
export async function startRollout(context: NodeContext, options: RolloutOptions = {}): Promise<Role> {
  const { bus, jobs, runtimes, log, metrics } = context;
  const states = new Map<string, Promise<JobState>>();
  const stopping = new AbortController();
  // Every flow in a tool listens to it.
  setMaxListeners(0, stopping.signal);
  const batcher = new MicroBatcher({ clock: context.clock });

  const stateOf = (record: JobRecord): Promise<JobState> => {
    const { id: job } = record;
    let state = states.get(job);
    if (!state) {
      state = openState(record);
      state.catch(() => states.delete(job));
      states.set(job, state);
    }
    return state;
  };

  const openState = async (record: JobRecord): Promise<JobState> => {
    const runtime = await runtimes.get(record);
    const { kind, spec, outline } = runtime;
    const actor = await context.outside(actorOf(kind, spec, outline));
    const policy = await FollowedPolicy.open(context, record.id, () => actor.policy(), keepsArms(record.config));
    return { runtime, policy, actor };
  };

  const stopChanges = jobs.onChange(({ record }) => {
    if (!isEnded(record.state)) return;
    const state = states.get(record.id);
    states.delete(record.id);
    runtimes.forget(record.id);
    state?.then(({ policy }) => policy.close()).catch(() => {});
  });

  const run = async (request: RolloutRequest, job: JobRecord, retrier: Retrier | undefined): Promise<void> => {
    if (!(await loadableRuntime(context, job, stopping.signal))) return;
    const { runtime, policy, actor } = await stateOf(job);
    const flowContext = await runtime.context();
    const started = context.clock.monotonic();
    const timeouts: Record<string, number> = {};
    const group = await runGroup({
      request,
      flow: runtime.flow,
      context: flowContext,
      policy: { source: policy, actor, batcher },
      exploration: runtime.config.exploration,
      signals: signalNeeds(runtime.config),
      maxResamples: runtime.config.rollout.maxResamples,
      node: context.id,
      clock: context.clock,
      signal: stopping.signal,
      retrier,
      onTimeout: (tool) => (timeouts[tool] = (timeouts[tool] ?? 0) + 1),
    });
    const { clock } = context;
    let sent = group;
    let data = toBinary(TrajectoryGroupSchema, group);
    if (data.byteLength > maxBytesInParts(bus)) {
      sent = tooLargeGroup(group, data.byteLength, maxBytesInParts(bus));
      data = toBinary(TrajectoryGroupSchema, sent);
    }
    await publishGroup(bus, request, data, { clock, signal: stopping.signal });
    measure(sent, (context.clock.monotonic() - started) / 1000);
    if (Object.keys(timeouts).length > 0) await noteTimeouts(request, timeouts);
  };

  /** Steps of members that were sampled again are not stored: `millrace query tools` counts by these events. */
  const noteTimeouts = async ({ job, id, purpose }: RolloutRequest, tools: Record<string, number>): Promise<void> => {
    const said = Object.entries(tools).map(([tool, count]) => `${tool} ${count}`);
    const data = { purpose: purpose === Purpose.EVALUATE ? 'evaluate' : 'train', tools };
    try {
      await new JobEvents(bus, context.clock, context.id, job).note(
        'tool-timeouts',
        id,
        `tools timed out: ${said.join(', ')}`,
        data,
      );
    } catch (error) {
      log.warn({ err: error, request: id, tools }, 'time-outs of tools could not be noted');
    }
  };

  /** Somebody ran it and died before saying so: run again it might come out otherwise than what was trained on and stored. */
  const hasBeenUsed = async ({ job, purpose, sequence }: RolloutRequest): Promise<boolean> => {
    if (purpose !== Purpose.TRAIN) return false;
    const { manifest } = (await context.weights.latest(job)) ?? {};
    return manifest?.ledger !== undefined && hasEnded(manifest.ledger, sequence);
  };

  const measure = ({ request, trajectories }: TrajectoryGroup, seconds: number): void => {
    const { job } = request!;
    metrics.count('groups_rolled_out_total', { job, purpose: request!.purpose === Purpose.EVALUATE ? 'evaluate' : 'train' });
    metrics.observe('rollout_seconds', { job }, seconds);
    for (const { failure, steps, toolErrors, resamples } of trajectories) {
      const outcome = failure === FailureClass.UNSPECIFIED ? 'ok' : FailureClass[failure].toLowerCase();
      metrics.count('trajectories_total', { job, outcome });
      metrics.count('steps_total', { job }, steps);
      metrics.count('tool_errors_total', { job }, toolErrors);
      metrics.count('resamples_total', { job }, resamples);
    }
  };
  metrics.onScrape(() => {
    metrics.total('policy_calls_total', {}, batcher.stats.calls);
    metrics.total('policy_batches_total', {}, batcher.stats.batches);
  });

  const handle = async (message: BusMessage): Promise<void> => {
    let request: RolloutRequest;
    try {
      request = fromBinary(RolloutRequestSchema, message.data);
    } catch (error) {
      message.term(`not a RolloutRequest: ${MillraceError.from(error).message}`);
      return;
    }
    try {
      const entry = await jobs.find(request.job);
      if (!entry) {
        message.term(`there is no job "${request.job}"`);
        return;
      }
      const isRepeated = message.deliveryCount > 1 || wasHeld(message) || request.attempt > 0;
      const used = isRepeated && (await hasBeenUsed(request));
      if (!used && !isEnded(entry.record.state)) {
        const { record } = entry;
        if (await holds.work(record.id, message, (retrier) => run(request, record, retrier))) return;
      }
      await message.ack();
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      log.warn({ err: error, request: request.id, delivery: message.deliveryCount }, 'request handed back to the queue');
      message.nak(RETRY_DELAY_MS);
    }
  };

  let intake: Intake | undefined = undefined;
  const holds = new WorkerHolds(context, { onWaiting: (messages) => intake?.extend(messages) });
  intake = await startIntake(
    context,
    {
      ...ROLLOUT_WORK,
      maxInFlight: options.maxGroups ?? GROUPS_AT_ONCE,
      afterCrash: options.afterCrash ?? false,
      onSuspect: () => holds.flush(),
    },
    handle,
  );
  const actor = context.actors.spawn('rollout', 'worker', { receive: () => {} });

  return {
    name: 'rollout',
    async stop(timeoutMs = 5000) {
      stopChanges();
      holds.stop();
      await intake.stop(timeoutMs);
      stopping.abort();
      await actor.stop();
      for (const state of states.values()) {
        await state.then(({ policy }) => policy.close()).catch(() => {});
      }
    },
  };
}
