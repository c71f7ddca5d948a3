import { MillraceError } from '../errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { systemClock } from '../clock/system.ts';
import { checkTask } from '../flow/check-task.ts';
import type { FlowDefinition, Json } from '../flow/define.ts';
import { flowShape, type FlowShape } from '../flow/plan.ts';
import type { Planner } from '../flow/planner.ts';
import { policyPlanner } from '../flow/policy-planner.ts';
import { runFlow, type FlowRun, type StepRecord } from '../flow/run.ts';
import { writingPlanner } from '../flow/writing-planner.ts';
import { Termination } from '../gen/millrace/v1/flow_pb.ts';
import { MicroBatcher } from '../policy/inference/micro-batcher.ts';
import type { ActingPolicy, PolicyActor } from '../policy/kind.ts';
import { seededRandom } from '../random/seeded.ts';
import { failed, failedAs } from './failed.ts';
import { PolicyRun } from './policy-run.ts';

/** How a flow is played. */
export interface PlayOptions {
  /**
   * 0 is greedy: the most likely action, but for one that answered with an error in the same situation, and drawn where the flow would go
   * round in circles. > 0: drawn at this temperature, as in training at 1. Default 0.
   */
  temperature?: number;
  /** What is drawn follows from it. Default 1. */
  seed?: number;
}

/** A task that was solved, or not. */
export interface Solution {
  /** What the flow left behind. */
  answer: Json;
  /** Why it ended: `done` (its verifier says so), `no-action` (nothing was open), `step-limit` or `token-limit`. */
  ended: 'done' | 'no-action' | 'step-limit' | 'token-limit';
  steps: readonly SolutionStep[];
}

/** A step of a {@link Solution}. */
export interface SolutionStep {
  /** Empty where the policy wrote a call that could not be made. */
  tool: string;
  /** As JSON, cut to 4,000 characters. */
  arguments: string;
  /** As text or JSON, cut to 4,000 characters; the message where `error`. */
  result: string;
  error: boolean;
  /** The flow's verifier confirmed the step. */
  verified: boolean;
  /** How likely the policy was to choose it: (0, 1]. */
  probability: number;
}

/** What a {@link TrainedPolicy} is made of. */
export interface TrainedPolicyParts<T, M> {
  checkpoint: Pick<Checkpoint, 'spec' | 'meta'>;
  flow: FlowDefinition<T, M>;
  context: unknown;
  actor: PolicyActor;
  policy: ActingPolicy;
}

/** Weights of a checkpoint with the flow that they were trained in, ready to be used. Any number of runs at the same time. */
export class TrainedPolicy<T = unknown, M = unknown> {
  /** What the checkpoint says of itself: job, version, how good it is. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly flow: FlowDefinition<T, M>;
  readonly #context: unknown;
  readonly #shape: FlowShape;
  readonly #actor: PolicyActor;
  readonly #policy: ActingPolicy;
  readonly #inference = new MicroBatcher({ clock: systemClock });
  #closed = false;

  /** @internal See {@link loadPolicy}. */
  constructor({ checkpoint, flow, context, actor, policy }: TrainedPolicyParts<T, M>) {
    this.meta = checkpoint.meta;
    this.flow = flow;
    this.#context = context;
    this.#shape = flowShape(flow);
    this.#actor = actor;
    this.#policy = policy;
  }

  /**
   * Begins a flow whose tools the application runs itself.
   * @param task - as the flow's schema wants it
   * @throws MillraceError `invalid_argument` with the field of the task, or of the options, that is wrong
   */
  start(task: T, options: PlayOptions = {}): PolicyRun<T, M> {
    const { random, planner } = this.#play(options);
    const { flow } = this;
    const checkOpen = (): void => this.#checkOpen();
    return new PolicyRun({
      flow,
      shape: this.#shape,
      task: this.#checked(task),
      context: this.#context,
      planner,
      random,
      checkOpen,
    });
  }

  /**
   * Plays a whole flow with the flow's own tools.
   * @throws MillraceError `invalid_argument` as {@link start}; `failed_precondition` when a tool or the flow's code broke; `unavailable`
   * when a tool asked to be called later; `cancelled` when `signal` aborts
   */
  async solve(task: T, { signal, ...options }: PlayOptions & { signal?: AbortSignal } = {}): Promise<Solution> {
    const { random, planner } = this.#play(options);
    const { flow } = this;
    const leave = this.#inference.join();
    let run: FlowRun;
    try {
      const common = { flow, shape: this.#shape, task: this.#checked(task), context: this.#context };
      run = await runFlow({ ...common, planner, random, clock: systemClock, signal });
    } catch (thrown) {
      throw failed(thrown);
    } finally {
      leave();
    }
    if (run.failure !== undefined) throw failedAs(run.failure.class, run.failure.message);
    return { answer: JSON.parse(run.answerJson) as Json, ended: ENDED[run.termination]!, steps: run.steps.map(stepOf) };
  }

  /** Frees the memory of the weights. Runs of this policy cannot go on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#policy.dispose();
  }

  #checkOpen(): void {
    if (this.#closed) throw new MillraceError('failed_precondition', 'the policy was closed: load it again');
  }

  #checked(task: T): T {
    const checked = checkTask(this.flow, task);
    if ('task' in checked) return checked.task;
    throw new MillraceError('invalid_argument', `the task does not suit flow '${this.flow.name}': ${checked.problem}`, {
      field: `task${checked.field === '' ? '' : `.${checked.field}`}`,
    });
  }

  #play({ temperature = 0, seed = 1 }: PlayOptions): { planner: Planner; random: ReturnType<typeof seededRandom> } {
    this.#checkOpen();
    if (!Number.isFinite(temperature) || temperature < 0)
      throw new MillraceError('invalid_argument', `temperature must be 0 or more, got ${temperature}`, { field: 'temperature' });
    const lease = { version: Number(this.meta['version'] ?? 0), policy: this.#policy, release: (): void => {} };
    const common = { table: this.#actor.situations(), inference: this.#inference, lease, temperature };
    const read = this.#actor.read?.bind(this.#actor);
    return {
      planner: read === undefined ? policyPlanner(common) : writingPlanner({ ...common, read }),
      random: seededRandom(seed),
    };
  }
}

const ENDED: Partial<Record<Termination, Solution['ended']>> = {
  [Termination.DONE]: 'done',
  [Termination.NO_ACTION]: 'no-action',
  [Termination.STEP_LIMIT]: 'step-limit',
  [Termination.TOKEN_LIMIT]: 'token-limit',
};

function stepOf({ tool, arguments: input, result, error, verified, logProbability }: StepRecord): SolutionStep {
  return { tool, arguments: input, result, error, verified, probability: Math.exp(logProbability) };
}
