import { newMessages, type Message } from '../base-model/chat/conversation.ts';
import { Activity, type ActivityLabel } from '../clock/activity.ts';
import type { Clock } from '../clock/clock.ts';
import { nextTurn } from '../clock/turn.ts';
import { MillraceError } from '../errors.ts';
import { FailureClass, Termination } from '../gen/millrace/v1/flow_pb.ts';
import type { Random } from '../random/random.ts';
import { actionOf, type Action, type NoAction } from './action.ts';
import { callRecord, outcomeOfAll, performAll, refusal, type CallRecord, type Performed } from './calls.ts';
import type { FlowDefinition, OpenAction } from './define.ts';
import { execute, type Execution } from './executor.ts';
import { describe, flowCrash, FlowFailure, isPromise } from './failure.ts';
import { generate } from './generator.ts';
import { remember, stepLimit } from './memory.ts';
import { flowShape, planStep, type FlowShape, type PreparedPlan } from './plan.ts';
import type { Planned, Planner } from './planner.ts';
import { HandBack, retrying, type Retrier } from './retry-later.ts';
import { payFor, type Spending } from './spending.ts';
import { statesOf } from './states.ts';
import { Meter } from './usage.ts';
import { potentialOf, verify } from './verifier.ts';

/** One decision and what followed from it. Of a text with several calls, tool to error are of the first. */
export interface StepRecord extends Planned, CallRecord {
  /** Memory items that the action points to. */
  items: readonly number[];
  /** The calls after the first. */
  further: readonly CallRecord[];
  /** What was new in the conversation; at the first step all of it. Undefined in flows that are none. */
  messages: readonly Message[] | undefined;
  /** The verifier confirmed the step. */
  verified: boolean;
  /** State before the first step, as JSON text; empty in later ones. */
  stateBefore: string;
  /** State after it, as JSON text; empty where the step did not change it. */
  stateAfter: string;
  /** The flow's potential before the step, where the run was asked for it. */
  potential: number | undefined;
  openActions: number;
  /** Actions of another tool were open as well. */
  otherTools: boolean;
  /** Microseconds from asking the flow for its plan to the planner's decision. */
  planUs: number;
  /** Microseconds in the executor. */
  toolUs: number;
  /** Unix time in microseconds. */
  startedAt: number;
}

/** One run of a flow. */
export interface FlowRun {
  steps: StepRecord[];
  /** UNSPECIFIED when it failed. */
  termination: Termination;
  /** What the flow left behind, as JSON; empty when it failed. */
  answerJson: string;
  failure: { class: FailureClass; message: string } | undefined;
  toolErrors: number;
  /** What the tools said they used. */
  usage: Meter;
  /** Unix time in microseconds. */
  startedAt: number;
  endedAt: number;
}

/** What a run needs. */
export interface RunOptions<T, M> {
  flow: FlowDefinition<T, M>;
  /** A task that satisfies the flow's schema. */
  task: T;
  /** What `load` returned as context. */
  context: unknown;
  planner: Planner;
  random: Random;
  clock: Clock;
  /** Order of tools and features; made from the flow when absent (give it when running many). */
  shape?: FlowShape;
  /** Ask the flow for its potential before each step. Default false. */
  potential?: boolean;
  /** Bytes of the state that are recorded before and after a step. Default 0: none. */
  stateBytes?: number;
  /** Stops the flow between two steps and in asynchronous tools. */
  signal?: AbortSignal | undefined;
  /** Job and task, for whoever must say what ran when something went wrong. Default: nobody asks. */
  label?: Pick<ActivityLabel, 'job' | 'task'> | undefined;
  /** Told of each tool call that takes too long. */
  onTimeout?: ((tool: string) => void) | undefined;
  /** What calls of tools cost. Default: what they say themselves, and nobody is asked before. */
  spending?: Spending | undefined;
  /** Makes calls of tools again that threw RetryLater. Default: the run then rejects with {@link HandBack}. */
  retrier?: Retrier | undefined;
}

/** A flow without asynchronous tools gives way to the event loop after this many steps. */
const STEPS_WITHOUT_TURN = 64;

/**
 * Runs one flow to its end: plan, decide, execute, verify, until the verifier says stop, nothing is open or the step limit is
 * reached; then the answer. Failures are in the result, with the steps until then. Throws only `cancelled`, when stopped, and
 * {@link HandBack}, when something that the flow calls cannot answer now.
 */
export async function runFlow<T, M>(options: RunOptions<T, M>): Promise<FlowRun> {
  const { clock } = options;
  const run: FlowRun = {
    steps: [],
    termination: Termination.UNSPECIFIED,
    answerJson: '',
    failure: undefined,
    toolErrors: 0,
    usage: new Meter(),
    startedAt: clock.now() * 1000,
    endedAt: 0,
  };
  try {
    const stage = stages(options);
    const memory = stage('remember', () => remember(options.flow, options.task, options.context));
    const termination = await takeSteps(options, memory, run, stage);
    run.answerJson = stage('answer', () => generate(options.flow, memory));
    run.termination = termination;
  } catch (thrown) {
    if (thrown instanceof MillraceError && thrown.code === 'cancelled' && options.signal?.aborted) throw thrown;
    if (thrown instanceof HandBack) throw thrown;
    run.failure = failureOf(thrown);
  }
  run.endedAt = clock.now() * 1000;
  return run;
}

/** Runs a synchronous stage of the flow's own code. */
type Stage = <R>(part: string, code: () => R) => R;

/** Stages that are known by their name while they run. */
function stages<T, M>({ flow, clock, label }: RunOptions<T, M>): Stage {
  if (label === undefined) return (_, code) => code();
  const about = { ...label, flow: flow.name };
  const activities = new Map<string, Activity>();
  return (part, code) => {
    let activity = activities.get(part);
    if (activity === undefined) activities.set(part, (activity = new Activity(clock, { ...about, part })));
    return activity.run(code, false);
  };
}

async function takeSteps<T, M>(options: RunOptions<T, M>, memory: M, run: FlowRun, stage: Stage): Promise<Termination> {
  const { flow, planner, random, clock, signal } = options;
  const shape = options.shape ?? flowShape(flow);
  const limit = stepLimit(flow, options.task);
  const call = caller(options, memory, run.usage);
  const perform = (action: Action | NoAction): Execution | Promise<Execution> =>
    'mistake' in action ? refusal(action) : call(action);
  const rules = { shape, takes: flow.calls ?? 'one' };
  const observing = (code: () => unknown): unknown => stage('observe', code);
  const states = statesOf(flow, memory, { bytes: options.stateBytes ?? 0, observing });
  for (let step = 0; step < limit; step++) {
    if (signal?.aborted) throw new MillraceError('cancelled', 'the flow was stopped', { cause: signal.reason });
    if (step % STEPS_WITHOUT_TURN === STEPS_WITHOUT_TURN - 1) await nextTurn();
    const started = clock.monotonic();
    const startedAt = clock.now() * 1000;
    const prepared = stage('plan', () => planStep(flow, shape, memory, step));
    const open = prepared.plan.actions;
    states?.planned(prepared.plan, run.steps.at(-1));
    // Without tools a conversation goes on in words.
    if (open.length === 0 && prepared.plan.conversation === undefined) return Termination.NO_ACTION;
    const pending = planner.choose(prepared, random);
    const planned = isPromise(pending) ? await pending : pending;
    if (planned === undefined) return Termination.DONE;
    const action = actionOf(planned.decision, open, rules);
    const potential = options.potential === true ? potentialOf(flow, memory) : undefined;
    const chosen = clock.monotonic();
    const work = performAll('calls' in action ? action.calls : [action], perform);
    const performed = isPromise(work) ? await work : work;
    const times = [started, chosen, clock.monotonic()] as const;
    const messages = conversed(prepared);
    const taken = record(planned, performed, { potential, open, times, startedAt, messages });
    run.steps.push(taken);
    planner.onStepResult?.(taken);
    for (const { execution } of performed) if (execution.error !== undefined) run.toolErrors += 1;
    const outcome = outcomeOfAll(planned.decision, performed, step, rules);
    const { continues: goesOn, verified, ends } = stage('verify', () => verify(flow, memory, outcome));
    taken.verified = verified;
    states?.taken(taken);
    if (!goesOn) return ends;
  }
  return Termination.STEP_LIMIT;
}

/** Calls tools, again where they ask for it. */
function caller<T, M>(options: RunOptions<T, M>, memory: M, meter: Meter): (action: Action) => Execution | Promise<Execution> {
  const { flow, clock, signal, onTimeout, retrier, spending = {} } = options;
  const own = { clock, signal, onTimeout, label: options.label && { ...options.label, flow: flow.name } };
  return (action) => {
    const tool = { name: action.tool, maxCost: flow.tools[action.tool]!.maxCost };
    const call = (): Execution | Promise<Execution> => execute(flow, action, memory, own);
    // Each attempt is a call of its own.
    const attempt = (): Execution | Promise<Execution> => payFor(tool, spending, { meter, call, signal });
    return retrying(`tool '${action.tool}'`, attempt, retrier, signal);
  };
}

/** What a step is recorded with beside its decision and its execution. */
interface StepFacts {
  potential: number | undefined;
  open: readonly OpenAction[];
  /** When it began, was planned and ended. */
  times: readonly [started: number, planned: number, ended: number];
  startedAt: number;
  messages: readonly Message[] | undefined;
}

function record(made: Planned, performed: readonly Performed[], facts: StepFacts): StepRecord {
  const { open } = facts;
  const [first] = performed;
  const { tool, mistake, arguments: input, result, error } = first === undefined ? NO_CALL : callRecord(first);
  const [started, planned, ended] = facts.times;
  // Field by field: a spread in a literal this size costs more than all of the rest.
  return {
    decision: made.decision,
    logProbability: made.logProbability,
    entropy: made.entropy,
    situation: made.situation,
    stateFlags: made.stateFlags,
    prompt: made.prompt,
    others: made.others,
    tool,
    mistake,
    items: first === undefined || 'mistake' in first.action ? NO_ITEMS : first.action.items,
    arguments: input,
    result,
    error,
    further: performed.length > 1 ? performed.slice(1).map(callRecord) : NO_CALLS,
    messages: facts.messages,
    verified: false,
    stateBefore: '',
    stateAfter: '',
    potential: facts.potential,
    openActions: open.length,
    otherTools: open.some((action) => action.tool !== tool),
    planUs: (planned - started) * 1000,
    toolUs: (ended - planned) * 1000,
    startedAt: facts.startedAt,
  };
}

function conversed({ plan: { conversation }, step }: PreparedPlan): readonly Message[] | undefined {
  return conversation && (step === 0 ? conversation.messages : newMessages(conversation.messages));
}

const NO_ITEMS: readonly number[] = [];
const NO_CALLS: readonly CallRecord[] = [];
/** Of a text that calls nothing, where it may. */
const NO_CALL: CallRecord = { tool: '', mistake: undefined, arguments: '', result: '', error: false };

export function failureOf(thrown: unknown): { class: FailureClass; message: string } {
  if (thrown instanceof FlowFailure) return { class: thrown.failure, message: thrown.message };
  // Neither the flow's code nor its tools: the policy, or a defect of ours; sampled again like any infrastructure failure.
  if (thrown instanceof MillraceError) return { class: FailureClass.POLICY_UNAVAILABLE, message: thrown.message };
  const crash = flowCrash('planner', describe(thrown), thrown);
  return { class: crash.failure, message: crash.message };
}
