import { MillraceError } from '../errors.ts';
import { systemClock } from '../clock/system.ts';
import { actionOf, type Action } from '../flow/action.ts';
import type { FlowDefinition, Json } from '../flow/define.ts';
import { execute, inputOf, type Execution } from '../flow/executor.ts';
import { generate } from '../flow/generator.ts';
import { remember, stepLimit } from '../flow/memory.ts';
import { planStep, type FlowShape } from '../flow/plan.ts';
import type { Planner } from '../flow/planner.ts';
import { HandBack, retrying } from '../flow/retry-later.ts';
import { outcomeOf, refusal, textOf } from '../flow/run.ts';
import { verify } from '../flow/verifier.ts';
import type { Random } from '../random/random.ts';
import { failed } from './failed.ts';

/** What a policy wants done next. */
export interface PolicyAction {
  /** Name of a tool of the flow. */
  tool: string;
  /** What to call it with; satisfies the tool's schema. */
  arguments: unknown;
  /** Items of memory that the action points to. */
  items: readonly number[];
  /** How likely the policy was to choose this action, at temperature 1 in greedy runs: (0, 1]. Of a written call: of all its tokens. */
  probability: number;
  /** Nats, over the open actions; how unsure the policy was. */
  entropy: number;
  /** 0-based. */
  step: number;
}

/** What a {@link PolicyRun} is made of. */
export interface PolicyRunOptions<T, M> {
  flow: FlowDefinition<T, M>;
  shape: FlowShape;
  task: T;
  context: unknown;
  planner: Planner;
  random: Random;
  /** Throws when the policy cannot be asked any more. */
  checkOpen: () => void;
}

/**
 * One flow, step by step: {@link next} says what the policy wants done, the application does it, and {@link tell} (or {@link fail}) takes
 * what came of it into the flow's memory. {@link act} does it with the flow's own tool.
 *
 * All methods throw `failed_precondition` when they are called out of turn, or when the flow's own code breaks (field `flow`).
 */
export class PolicyRun<T, M> {
  readonly #options: PolicyRunOptions<T, M>;
  readonly #memory: M;
  readonly #limit: number;
  #step = 0;
  #deciding = false;
  #acting = false;
  #pending: Action | undefined;
  #arguments: unknown;
  #ended = false;
  #verified = 0;

  constructor(options: PolicyRunOptions<T, M>) {
    this.#options = options;
    [this.#memory, this.#limit] = inTurn(() => [
      remember(options.flow, options.task, options.context),
      stepLimit(options.flow, options.task),
    ]);
  }

  /** Steps so far, those that the flow itself refused included. */
  get steps(): number {
    return this.#step;
  }

  /** Steps that the flow's verifier confirmed. */
  get verified(): number {
    return this.#verified;
  }

  /** There is nothing more to do: {@link next} gives undefined. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The flow's memory. */
  get memory(): M {
    return this.#memory;
  }

  /** What to do next; undefined when the flow has ended: its verifier says so, nothing is open, or it has taken all its steps. */
  async next(): Promise<PolicyAction | undefined> {
    if (this.#pending !== undefined || this.#deciding)
      throw outOfTurn('next() was called before tell() or fail() said what came of the last action');
    this.#options.checkOpen();
    this.#deciding = true;
    try {
      while (!this.#ended) {
        const action = await this.#decide();
        if (action !== undefined) return action;
      }
      return undefined;
    } catch (thrown) {
      this.#ended = true;
      throw failed(thrown);
    } finally {
      this.#deciding = false;
    }
  }

  /** The last action was done, with this result; what the flow's tool would have returned. */
  tell(result: unknown): void {
    this.#told({ result });
  }

  /** The last action could not be done, and the policy is to cope with it, as with a tool that throws ToolError. */
  fail(message: string): void {
    this.#told({ error: message });
  }

  /**
   * Does the last action with the flow's own tool and tells what came of it, which is also returned. For tools that change the flow's memory
   * themselves there is no other way but to change {@link memory} as they do. Throws `unavailable` when the tool asks to be called later:
   * call it again then.
   */
  async act(signal?: AbortSignal): Promise<{ result: unknown } | { error: string }> {
    const action = this.#pending;
    if (action === undefined || this.#acting) throw outOfTurn('there is no action to do: call next() first');
    this.#acting = true;
    try {
      const call = (): Execution | Promise<Execution> =>
        execute(this.#options.flow, action, this.#memory, { clock: systemClock, signal });
      const { result, error } = await retrying(`tool '${action.tool}'`, call, undefined, signal);
      const came = error === undefined ? { result } : { error };
      this.#acting = false;
      this.#told(came);
      return came;
    } catch (thrown) {
      if (thrown instanceof HandBack) throw thrown;
      this.#ended = true;
      throw failed(thrown);
    } finally {
      this.#acting = false;
    }
  }

  /** What the flow leaves behind; usually asked for when it has ended. */
  answer(): Json {
    return inTurn(() => JSON.parse(generate(this.#options.flow, this.#memory)) as Json);
  }

  /** One decision; undefined when it led to no call: the flow has ended, or refused it. */
  async #decide(): Promise<PolicyAction | undefined> {
    const { flow, shape, planner, random } = this.#options;
    if (this.#step >= this.#limit) return this.#end();
    const prepared = planStep(flow, shape, this.#memory, this.#step);
    const open = prepared.plan.actions;
    if (open.length === 0) return this.#end();
    const planned = await planner.choose(prepared, random);
    if (planned === undefined) return this.#end();
    const action = actionOf(planned.decision, open, shape);
    if ('mistake' in action) return this.#take(action, refusal(action));
    const input = inputOf(flow, action, this.#memory);
    if ('error' in input) return this.#take(action, input);
    this.#pending = action;
    this.#arguments = input.value;
    return {
      tool: action.tool,
      arguments: input.value,
      items: action.items,
      probability: Math.exp(planned.logProbability),
      entropy: planned.entropy,
      step: this.#step,
    };
  }

  #told(came: { result: unknown } | { error: string }): void {
    const action = this.#pending;
    if (action === undefined || this.#acting) throw outOfTurn('there is no action to tell the result of: call next() first');
    this.#pending = undefined;
    try {
      this.#take(action, { input: this.#arguments, ...came });
    } catch (thrown) {
      this.#ended = true;
      throw failed(thrown);
    }
  }

  /** Takes what came of an action into memory. */
  #take(action: Parameters<typeof outcomeOf>[0], execution: Parameters<typeof outcomeOf>[1]): undefined {
    const { flow, planner } = this.#options;
    const error = execution.error !== undefined;
    planner.onStepResult?.({ result: execution.error ?? textOf(execution.result), error });
    const { continues, verified } = verify(flow, this.#memory, outcomeOf(action, execution, this.#step));
    this.#step += 1;
    if (verified) this.#verified += 1;
    if (!continues) this.#end();
  }

  #end(): undefined {
    this.#ended = true;
  }
}

function inTurn<R>(code: () => R): R {
  try {
    return code();
  } catch (thrown) {
    throw failed(thrown);
  }
}

function outOfTurn(message: string): MillraceError {
  return new MillraceError('failed_precondition', message);
}
