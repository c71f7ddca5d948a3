import { setMaxListeners } from 'node:events';
import { create } from '@bufbuild/protobuf';
import type { Clock } from '../clock/clock.ts';
import { nextTurn } from '../clock/turn.ts';
import { keepsArms, type ExplorationConfig } from '../config/job/exploration.ts';
import { MillraceError } from '../errors.ts';
import { isForced } from '../explore/forced.ts';
import { FailureClass, Termination, TrajectorySchema } from '../gen/millrace/v1/flow_pb.ts';
import {
  Agent,
  Purpose,
  TrajectoryGroupSchema,
  type RolloutRequest,
  type TrajectoryGroup,
} from '../gen/millrace/v1/training_pb.ts';
import type { Inference } from '../policy/inference/inference.ts';
import type { PolicyActor, RecordedDecision, SituationTable } from '../policy/kind.ts';
import { flowsPerTask, taskIndexOf, taskOf, tasksOf } from '../records/request-tasks.ts';
import { seededRandom } from '../random/seeded.ts';
import { parseTask } from './check-task.ts';
import { groupDecisions } from './decisions.ts';
import type { FlowDefinition } from './define.ts';
import { explorationOf, Explorer, type DecisionTrace } from './explorer.ts';
import { groupExperience } from './group-experience.ts';
import { flowShape, type FlowShape } from './plan.ts';
import { nothingPlanner, randomPlanner, rulePlanner, type Planner } from './planner.ts';
import type { PolicySource } from './policies.ts';
import { policyPlanner } from './policy-planner.ts';
import { HandBack, type Retrier } from './retry-later.ts';
import { runFlow, type FlowRun } from './run.ts';
import { stepSignals, type SignalNeeds } from './signals.ts';
import { encodeStepRows } from '../records/step-rows.ts';
import type { Spending } from './spending.ts';
import { teacher } from './teacher.ts';
import { Meter, type Used } from './usage.ts';
import { writingPlanner } from './writing-planner.ts';

/** What AGENT_POLICY needs; actor and inference serve many groups. */
export interface PolicyRuntime {
  source: PolicySource;
  actor: PolicyActor;
  inference: Inference;
}

/** What a group runs with. */
export interface GroupOptions<T, M> {
  request: RolloutRequest;
  flow: FlowDefinition<T, M>;
  /** What `load` returned as context. */
  context: unknown;
  /** Required for AGENT_POLICY. */
  policy?: PolicyRuntime | undefined;
  /** Signals of the steps that training groups carry. Default: none. */
  signals?: SignalNeeds | undefined;
  /** How training groups explore. Default: they follow the policy. */
  exploration?: ExplorationConfig | undefined;
  /** How often a member that failed is sampled again. Default 3. */
  maxResamples?: number;
  /** Bytes of the state that are recorded before and after a step. Default 0: none. */
  stateBytes?: number;
  /** Id of this node. */
  node: string;
  clock: Clock;
  /** Stops the group: `runGroup` then rejects with `cancelled` and nothing is published. */
  signal?: AbortSignal | undefined;
  /** Told of each tool call that takes too long, in members that are sampled again, too. */
  onTimeout?: ((tool: string) => void) | undefined;
  /** What calls of tools cost. Default: what they say themselves, and nobody is asked before. */
  spending?: Spending | undefined;
  /** Makes calls of tools again that threw RetryLater. Default: `runGroup` then rejects with {@link HandBack}. */
  retrier?: Retrier | undefined;
}

/** A member of the group with the id its trajectory has. */
interface Member {
  id: string;
  policyVersion: number;
  run: FlowRun;
  resamples: number;
  /** What all attempts used. */
  usage: Used;
  /** Of a flow that explored. */
  trace?: DecisionTrace | undefined;
}

/**
 * Runs the flows of one request at once. A member that fails is sampled again with new random numbers; one that goes on
 * failing is in the group with its class. A member's numbers depend on (seed of its task, member, resample) only: the same
 * request gives the same trajectories on any worker, and a task the same ones alone and among others. Rejects with {@link HandBack} when something that a flow calls cannot answer now.
 */
export async function runGroup<T, M>(options: GroupOptions<T, M>): Promise<TrajectoryGroup> {
  const { request, flow, node } = options;
  const signals = signalsOf(options);
  const forced = explorationFor(options)?.forced;
  if (request.groupSize < 1)
    throw new MillraceError('invalid_argument', 'a rollout request needs a group size of at least 1', { field: 'group_size' });
  const members = await runMembers(options, request.groupSize);
  const table = members.table;
  const runs = members.runs;
  const learns = request.purpose === Purpose.TRAIN && table !== undefined;
  const encoded = learns ? groupExperience(table, runs.map(decisionsOf), request.temperature || 1) : NO_EXPERIENCE;
  if ('problem' in encoded) for (const { run } of runs) discard(run, encoded.problem);
  return create(TrajectoryGroupSchema, {
    request,
    node,
    policyVersion: runs.reduce((least, run) => Math.min(least, run.policyVersion), runs[0]?.policyVersion ?? 0),
    trajectories: runs.map((member, index) => {
      const made = trajectory(member, index);
      if (signals !== undefined) made.signals = stepSignals(member.run.steps, members.shape, signals);
      if (made.signals !== undefined && member.trace !== undefined)
        made.signals.bucket = member.trace.buckets.slice(0, member.run.steps.length);
      made.explored = forced !== undefined && isForced(index, request.groupSize, forced.share);
      return made;
    }),
    experience: 'bytes' in encoded ? encoded.bytes : NO_EXPERIENCE.bytes,
    stepRows: encodeStepRows(request, runs),
    ...(learns && {
      decisions: groupDecisions(
        runs.map(({ run }) => run),
        members.shape,
      ),
    }),
  });

  function decisionsOf({ run, trace }: Member): RecordedDecision[] {
    if (run.failure !== undefined) return [];
    return run.steps.map(({ situation, decision, logProbability }, step) => {
      if (situation === undefined)
        throw new MillraceError('internal', `a decision of the policy in flow '${flow.name}' has no situation`);
      if (decision.kind === 'choice') return { situation, action: trace?.actions[step] ?? decision.index, logProbability };
      const { tokens, logProbabilities, finish } = decision;
      return { situation, tokens, logProbabilities, finish };
    });
  }
}

/** What this group has to say about its steps; nothing when it is judged by its outcome alone. */
function signalsOf<T, M>(options: GroupOptions<T, M>): SignalNeeds | undefined {
  const { request, signals } = options;
  const exploration = explorationFor(options);
  const counts = exploration !== undefined && keepsArms({ exploration });
  const steps = counts || (signals?.steps ?? false);
  const potential = signals?.potential ?? false;
  return (steps || potential) && request.purpose === Purpose.TRAIN ? { steps, potential } : undefined;
}

/** Only the policy explores, and only where it learns from it: a measurement is of the policy alone. */
function explorationFor<T, M>({ request, exploration }: GroupOptions<T, M>): ExplorationConfig | undefined {
  return request.purpose === Purpose.TRAIN && request.agent === Agent.POLICY ? exploration : undefined;
}

async function runMembers<T, M>(
  options: GroupOptions<T, M>,
  size: number,
): Promise<{ runs: Member[]; table: SituationTable | undefined; shape: FlowShape }> {
  const { request, flow, clock } = options;
  const shape = flowShape(flow);
  const tasks = tasksOf(request).map(({ taskJson }) => parseTask(flow, taskJson));
  const unusable = (index: number, problem: string): Member => ({
    id: `${request.id}:${index}`,
    policyVersion: request.policyVersion,
    run: failedRun(clock, FailureClass.INVALID_TASK, `task ${taskOf(request, index).taskId}: ${problem}`),
    resamples: 0,
    usage: new Meter().used,
  });
  const agents = tasks.some((task) => 'task' in task) ? agentSource(options, shape) : undefined;
  const runs = await together(options.signal, size, async (index, signal) => {
    const task = tasks[taskIndexOf(request, index)]!;
    if ('problem' in task) return unusable(index, task.problem);
    return runMember({ ...options, signal }, { agents: agents!, shape, task: task.task as T, index });
  });
  return { runs, table: agents?.table, shape };
}

/** Runs all members at once. When one is handed back the group is, so the others stop; it rejects once they have. */
async function together<R>(
  outer: AbortSignal | undefined,
  size: number,
  run: (index: number, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const stop = new AbortController();
  const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
  // Every member in a tool listens to it.
  setMaxListeners(0, signal);
  let handedBack: HandBack | undefined;
  const members = Array.from({ length: size }, async (_, index) => {
    try {
      return await run(index, signal);
    } catch (thrown) {
      if (thrown instanceof HandBack) handedBack ??= thrown;
      stop.abort(thrown);
      throw thrown;
    }
  });
  await Promise.allSettled(members);
  if (handedBack !== undefined) throw handedBack;
  return Promise.all(members);
}

/** A planner for one flow, with the version it plays and what to call at its end. */
interface AgentLease {
  planner: Planner;
  version: number;
  trace?: DecisionTrace | undefined;
  release: () => void;
}

interface AgentSource {
  table: SituationTable | undefined;
  /** @param member position in the group */
  acquire(member: number): Promise<AgentLease>;
}

function agentSource<T, M>(options: GroupOptions<T, M>, shape: FlowShape): AgentSource {
  const { request, flow, policy } = options;
  const source = (planner: () => Planner, table?: SituationTable): AgentSource => ({
    table,
    acquire: async () => {
      // Flows that never wait for a policy must not hold up the event loop for a whole group.
      await nextTurn();
      return { planner: planner(), version: request.policyVersion, release: () => undefined };
    },
  });
  const simple = (planner: Planner): AgentSource => source(() => planner);
  const taught = (actor: PolicyActor): AgentSource => {
    const table = actor.situations();
    return source(() => teacher({ flow, actor, table }), table);
  };
  switch (request.agent) {
    case Agent.RANDOM:
      return simple(randomPlanner);
    case Agent.RULE:
      return request.purpose === Purpose.TRAIN && policy !== undefined ? taught(policy.actor) : simple(rulePlanner(flow));
    case Agent.NOTHING:
      return simple(nothingPlanner);
    case Agent.POLICY: {
      if (policy === undefined)
        throw new MillraceError('failed_precondition', 'this request is for the policy, but none was given to runGroup');
      const { source, actor, inference } = policy;
      const read = actor.read?.bind(actor);
      const table = actor.situations();
      const { temperature, policyVersion, pinned } = request;
      const setup = explorationOf(explorationFor(options), flow, shape);
      return {
        table,
        acquire: async (member) => {
          const lease = await source.acquire(policyVersion, pinned);
          const leaveInference = inference.join();
          const forced = setup !== undefined && isForced(member, request.groupSize, setup.config.forced.share);
          const explorer = setup && new Explorer(setup, lease.exploration, forced);
          const common = { table, inference, lease, temperature, explorer };
          return {
            planner: read === undefined ? policyPlanner(common) : writingPlanner({ ...common, read }),
            version: lease.version,
            trace: explorer?.trace,
            release: () => {
              leaveInference();
              lease.release();
            },
          };
        },
      };
    }
    default:
      throw new MillraceError('invalid_argument', `rollout request ${request.id} names no known agent (${request.agent})`, {
        field: 'agent',
      });
  }
}

async function runMember<T, M>(
  options: GroupOptions<T, M>,
  { agents, shape, task, index }: { agents: AgentSource; shape: FlowShape; task: T; index: number },
): Promise<Member> {
  const { request, flow, context, clock, signal, retrier, onTimeout, spending, stateBytes, maxResamples = 3 } = options;
  const id = `${request.id}:${index}`;
  const { taskId, seed } = taskOf(request, index);
  const ofTask = index % flowsPerTask(request);
  const meter = new Meter();
  for (let resamples = 0; ; resamples++) {
    let lease: AgentLease;
    try {
      lease = await agents.acquire(index);
    } catch (thrown) {
      if (signal?.aborted) throw MillraceError.from(thrown);
      // The source has waited as long as it may; asking again would not help.
      const run = failedRun(clock, FailureClass.POLICY_UNAVAILABLE, MillraceError.from(thrown).message);
      return { id, policyVersion: request.policyVersion, resamples, run, usage: meter.used };
    }
    try {
      const random = seededRandom(seed).fork(`${ofTask}/${resamples}`);
      const potential = signalsOf(options)?.potential ?? false;
      const label = { job: request.job, task: taskId };
      const { planner } = lease;
      const control = { signal, retrier, label, onTimeout, spending, ...(stateBytes !== undefined && { stateBytes }) };
      const run = await runFlow({ flow, task, context, planner, random, clock, shape, potential, ...control });
      meter.add(run.usage.used);
      if (run.failure === undefined || resamples >= maxResamples)
        return { id, policyVersion: lease.version, resamples, run, usage: meter.used, trace: lease.trace };
    } finally {
      lease.release();
    }
  }
}

const NO_EXPERIENCE = { bytes: new Uint8Array() };

function discard(run: FlowRun, problem: string): void {
  run.failure ??= { class: FailureClass.POLICY_UNAVAILABLE, message: `nothing can be trained on: ${problem}` };
  run.termination = Termination.UNSPECIFIED;
  run.answerJson = '';
}

function failedRun(clock: Clock, failure: FailureClass, message: string): FlowRun {
  const now = clock.now() * 1000;
  return {
    steps: [],
    termination: Termination.UNSPECIFIED,
    answerJson: '',
    failure: { class: failure, message },
    toolErrors: 0,
    usage: new Meter(),
    startedAt: now,
    endedAt: now,
  };
}

function trajectory(
  { id, policyVersion, resamples, run, usage }: Member,
  index: number,
): ReturnType<typeof create<typeof TrajectorySchema>> {
  return create(TrajectorySchema, {
    id,
    index,
    resamples,
    policyVersion,
    steps: run.steps.length,
    termination: run.termination,
    failure: run.failure?.class ?? FailureClass.UNSPECIFIED,
    failureMessage: run.failure?.message ?? '',
    answerJson: run.answerJson,
    startedAtUs: BigInt(Math.round(run.startedAt)),
    endedAtUs: BigInt(Math.round(run.endedAt)),
    toolErrors: run.toolErrors,
    planUs: total(run, 'planUs'),
    toolUs: total(run, 'toolUs'),
    tokensIn: BigInt(usage.tokensIn),
    tokensOut: BigInt(usage.tokensOut),
    microDollars: BigInt(usage.microDollars),
  });
}

/** Microseconds over all steps, as the rows of the steps hold them. */
function total(run: FlowRun, of: 'planUs' | 'toolUs'): bigint {
  return BigInt(run.steps.reduce((sum, step) => sum + Math.max(0, Math.round(step[of])), 0));
}
