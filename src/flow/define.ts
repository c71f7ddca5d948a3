import type { z } from 'zod';
import type { Speech } from '../base-model/chat/conversation.ts';
import type { FinishReason } from '../policy/decision.ts';
import type { Plan } from '../policy/plan.ts';
import type { Usage } from './usage.ts';

export type { OpenAction, Plan } from '../policy/plan.ts';

/** Anything that JSON can hold. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/**
 * Throw this from a tool when the call was wrong (unknown order, invalid argument): the error is data, the flow goes on and
 * the policy answers for it. Anything else a tool throws is a crash: the trajectory is sampled again and never scored.
 */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  /** What the call used although it was wrong. */
  readonly usage: Usage | undefined;

  constructor(message: string, usage?: Usage) {
    // It is data, thrown thousands of times a second while a policy is young: capturing stacks took a sixth of all time.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.usage = usage;
  }
}

/** A tool: what the executor runs when the planner picks it. */
export interface Tool<M, I = unknown, R = unknown> {
  /** One sentence for people and for language-model planners. */
  description: string;
  /** What the tool takes. An input that does not satisfy it is a ToolError. */
  input: z.ZodType<I>;
  /** How many items of memory an action with this tool points to: 0, 1 or 2. Default 0. */
  pointers?: 0 | 1 | 2;
  /**
   * The executor: fills the arguments from memory and the items pointed to (indices into `Plan.items`). Not asked where the policy writes
   * its calls with their arguments.
   */
  arguments(memory: M, ...pointers: number[]): I;
  /** Runs the tool; `metered(result, usage)` says what it used. Default time limit: `FlowDefinition.toolTimeoutMs`. */
  run(input: I, memory: M, signal: AbortSignal): R | Promise<R>;
  /**
   * The most that one call can cost, in US dollars: so much of the job's budget is set aside while it runs. Default: its price in `prices.tools`
   * of cluster.yaml; without one nothing is set aside, and what the call says that it used is booked after it.
   */
  maxCost?: number;
  /** Milliseconds; overrides the flow's. */
  timeoutMs?: number;
  /**
   * What a call is that takes longer than its time. `fail`: an infrastructure failure, the trajectory is sampled again and never scored.
   * `error`: data, as a ToolError is; the flow goes on, and the policy learns to cope with a service that hangs. Default `fail`.
   */
  onTimeout?: 'error' | 'fail';
}

/** What followed from one decision. */
export interface Outcome {
  /** Empty where a policy that writes its calls called no open tool: `error` says what was wrong. */
  tool: string;
  /** Items of memory that the action points to; none where the policy wrote the arguments. */
  items: readonly number[];
  /** What the policy wrote for the tool; absent where it chose an action. */
  arguments?: unknown;
  /** The tool's result, when it succeeded. */
  result?: unknown;
  /** The ToolError's message, or what was wrong with the call, when it did not. */
  error?: string;
  /** 0-based. */
  step: number;
  /** What a policy that writes said; in flows with `calls: 'any'`. */
  said?: Said;
}

/** A message of a policy that writes, and what came of it. */
export interface Said extends Speech {
  /** The whole message as it was written. Absent where the flow's rule decided. */
  text?: string;
  /** What came of each call, in order. Of a message that was cut off: one, with the error. */
  outcomes: readonly CallOutcome[];
  /** Tokens that the policy wrote. */
  tokens: number;
  /** `length`: the message reached its longest length and was cut off; nothing of it was done. */
  finish: FinishReason;
}

/** What came of one of the calls of a message. */
export type CallOutcome = Pick<Outcome, 'tool' | 'arguments' | 'result' | 'error'>;

/** What `verify` says when it has checked the step as well. */
export interface Verification {
  next: 'continue' | 'stop';
  /** The step is confirmed to be one in the right direction: reward component `verification` counts it. Default false. */
  verified?: boolean;
  /** Why the flow stops: it has used up its tokens. Default: it is done. */
  reason?: 'token_limit';
}

/**
 * A flow: a multi-step workflow around a trainable planner. `T` is the task, `M` the memory.
 *
 * Each step: `plan` shows the planner what is in memory and which actions are open; the planner picks one; the executor
 * (`Tool.arguments`, `Tool.run`) runs the tool; `verify` writes the outcome into memory and says whether to go on. At the
 * end `answer` says what the flow leaves behind, and `reward` (in a reward actor) judges it.
 */
export interface FlowDefinition<T, M> {
  name: string;
  /** One sentence. */
  description?: string;
  /** Tasks are checked against it before anything starts. */
  task: z.ZodType<T>;
  /** Task id. Default: `task.id`. */
  id?(task: T): string;
  /** Tasks with the same key are on the same side of the held-out split. Default: the id. */
  splitKey?(task: T): string;
  /** What kind of task it is, in a word or two: success is told apart by it (`millrace query success-by-type`). */
  type?(task: T): string;
  /**
   * Reads the tasks. `data` is the folder or file given as `--data` or `data:` in job.yaml (absolute), undefined for the
   * flow's own default. `options` is `source:` of job.yaml. Called once in each process that runs the flow; `context` is
   * given to `remember` and `reward` in all of them (a world, a catalogue); tasks travel in the requests.
   */
  load(source: {
    data: string | undefined;
    options: Readonly<Record<string, Json>>;
    seed: number;
  }): Loaded<T> | Promise<Loaded<T>>;
  /**
   * Files and folders that the flow's code reads, relative to the module that exports the flow: they are bundled with it. Read them by
   * `new URL('./file', import.meta.url)`, after the module has been loaded. Default none, but for files that are named in just that way.
   */
  files?: readonly string[];
  /**
   * Makes a task of a question and what should come of it, for jobs that are given such data in place of tasks (an API, an application's
   * history). `index` counts from 0 and makes ids that differ. What it throws names the data that is wrong.
   */
  fromQuery?(data: TrainingQuery): T;
  tools: Record<string, Tool<M, any, any>>;
  /**
   * How many tools a text of a policy that writes may call. `one`: exactly one, anything else is a mistake of the policy. `any`: several, which
   * run at the same time, or none, which is no mistake but the policy's last word; `verify` finds all of it in `outcome.said`. Default `one`.
   */
  calls?: 'one' | 'any';
  /** Names of the numeric features used in `Plan`; their order is the order of the network's inputs. */
  features: { state?: readonly string[]; item?: readonly string[]; action?: readonly string[] };
  /** Memory at the start. */
  remember(task: T, context: unknown): M;
  plan(memory: M): Plan;
  /**
   * Takes the outcome into memory. Return 'stop' to end the flow, and `{ next, verified: true }` to say that the step was
   * checked and is right: a plain 'continue' confirms nothing.
   */
  verify(memory: M, outcome: Outcome): 'continue' | 'stop' | Verification;
  /** Most steps of a flow. Default 32. */
  maxSteps?(task: T): number;
  /** What the flow leaves behind for the reward actor; at most 65,536 characters of JSON. */
  answer(memory: M): Json;
  /** Outcome reward, usually 0 or 1; more components by name may be added for shaping. Success: outcome >= 1 unless given. */
  reward(task: T, answer: Json, context: unknown): number | Reward | Promise<number | Reward>;
  /**
   * The most that one call of `reward` can cost, in US dollars, 0 to 1,000,000: so much of the job's budget is set aside while it runs. Default:
   * nothing is set aside, and what the call says that it used is booked after it.
   */
  maxRewardCost?: number;
  /** Names of all components that `reward` gives: only these can be weighed by `reward.components` of a job. Default none. */
  components?: readonly string[];
  /**
   * How far the flow has come: a finite number of memory alone, for reward component `potential`. It is asked before each
   * step and must not change memory; after the last step it counts as 0. Called only in jobs that use it.
   */
  potential?(memory: M): number;
  /**
   * What exploration takes for the same situation, of memory alone: a text, or a number that is rounded down. Default: the plan's
   * state flags, in quarters. Called only in jobs that keep statistics of (state bucket, tool).
   */
  bucket?(memory: M): string | number;
  /**
   * What people should see of memory at a step: rows of `steps` hold it before and after each, as JSON of at most `rollout.stateBytes`
   * bytes. It must not change memory. What it throws is shown in its place and harms nothing. Default: what `plan` shows the planner
   * (text, flags, items), which is not known after the last step.
   */
  observe?(memory: M): unknown;
  /** A hand-written planner, which reports compare the trained one with: index into `plan.actions`. */
  rule?(memory: M, plan: Plan): number;
  /** A hand-written planner in place of `rule`: what a policy that writes should say here, with the arguments of each call. */
  writingRule?(memory: M, plan: Plan): Speech;
  /** Time limit of a tool call. Default 10_000. */
  toolTimeoutMs?: number;
}

/** A question and what should come of it. */
export interface TrainingQuery {
  query: string;
  /** Anything that JSON can hold. */
  expected_outcome: Json;
  /** Its place in the data, from 0. */
  index: number;
}

export interface Reward {
  outcome: number;
  success?: boolean;
  components?: Record<string, number>;
  /** What judging used, for example tokens of a model that was asked. */
  usage?: Usage;
}

export interface Loaded<T> {
  tasks: T[];
  /** Where each task came from, for error messages; same order as `tasks`. */
  origins?: string[];
  context?: unknown;
}

/** Declares a flow; only checks and types it. */
export function defineFlow<T, M>(flow: FlowDefinition<T, M>): FlowDefinition<T, M> {
  return flow;
}

/** Declares a tool of memory type M with its input typed from the schema. */
export function defineTool<M>() {
  return <I, R>(tool: Tool<M, I, R>): Tool<M, I, R> => tool;
}
