import { MillraceError } from '../errors.ts';
import { systemClock } from '../clock/system.ts';
import { actionOf, type Action, type NoAction } from '../flow/action.ts';
import { callRecord, outcomeOfAll, refusal, type Performed } from '../flow/calls.ts';
import type { FlowDefinition, Json } from '../flow/define.ts';
import { execute, inputOf, type Execution } from '../flow/executor.ts';
import { generate } from '../flow/generator.ts';
import { remember, stepLimit } from '../flow/memory.ts';
import { planStep, type FlowShape } from '../flow/plan.ts';
import type { Planned, Planner } from '../flow/planner.ts';
import { HandBack, retrying } from '../flow/retry-later.ts';
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

/** A call of a decision. */
interface Call {
  action: Action | NoAction;
  /** Its arguments, checked. */
  input?: unknown;
  /** What came of it; absent while it waits for the application. */
  execution?: Execution;
}

/** A decision of the policy. */
interface Turn {
  planned: Planned;
  /** More than one in flows that take several. */
  calls: readonly Call[];
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
  #turn: Turn | undefined;
  /** What the application was told to do. */
  #pending: Call | undefined;
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
    const pending = this.#pending;
    if (pending === undefined || this.#acting) throw outOfTurn('there is no action to do: call next() first');
    this.#acting = true;
    try {
      const action = pending.action as Action;
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

  /** The next call of the last decision, or of the next one; undefined when there was none to make: the flow has ended, or refused it. */
  async #decide(): Promise<PolicyAction | undefined> {
    const { flow, shape, planner, random } = this.#options;
    if (this.#turn !== undefined) return this.#goOn(this.#turn);
    if (this.#step >= this.#limit) return this.#end();
    const prepared = planStep(flow, shape, this.#memory, this.#step);
    const open = prepared.plan.actions;
    if (open.length === 0 && prepared.plan.conversation === undefined) return this.#end();
    const planned = await planner.choose(prepared, random);
    if (planned === undefined) return this.#end();
    const action = actionOf(planned.decision, open, { shape, takes: flow.calls ?? 'one' });
    const calls = ('calls' in action ? action.calls : [action]).map((each) => this.#checked(each));
    this.#turn = { planned, calls };
    return this.#goOn(this.#turn);
  }

  /** A call whose arguments are checked; with an execution where it is not to be made. */
  #checked(action: Action | NoAction): Call {
    if ('mistake' in action) return { action, execution: refusal(action) };
    const input = inputOf(this.#options.flow, action, this.#memory);
    return 'error' in input ? { action, execution: input } : { action, input: input.value };
  }

  /** Hands out the next call of a decision; takes them into memory when there is none left. */
  #goOn({ planned, calls }: Turn): PolicyAction | undefined {
    const next = calls.find(({ execution }) => execution === undefined);
    this.#pending = next;
    if (next === undefined) return this.#take(planned, calls as Performed[]);
    const { tool, items } = next.action as Action;
    const { logProbability, entropy } = planned;
    return { tool, arguments: next.input, items, probability: Math.exp(logProbability), entropy, step: this.#step };
  }

  #told(came: { result: unknown } | { error: string }): void {
    const [turn, pending] = [this.#turn, this.#pending];
    if (turn === undefined || pending === undefined || this.#acting)
      throw outOfTurn('there is no action to tell the result of: call next() first');
    this.#pending = undefined;
    pending.execution = { input: pending.input, ...came };
    if (turn.calls.some(({ execution }) => execution === undefined)) return;
    try {
      this.#take(turn.planned, turn.calls as Performed[]);
    } catch (thrown) {
      this.#ended = true;
      throw failed(thrown);
    }
  }

  /** Takes what came of a decision into memory. */
  #take({ decision }: Planned, performed: readonly Performed[]): undefined {
    const { flow, planner } = this.#options;
    const [first] = performed;
    this.#turn = undefined;
    planner.onStepResult?.(first === undefined ? { result: '', error: false } : callRecord(first));
    const outcome = outcomeOfAll(decision, performed, this.#step, { takes: flow.calls ?? 'one' });
    const { continues, verified } = verify(flow, this.#memory, outcome);
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
