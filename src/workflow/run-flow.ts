import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system.ts';
import { MillraceError } from '../errors.ts';
import { checkTask } from '../flow/check-task.ts';
import type { FlowDefinition, Json } from '../flow/define.ts';
import { rulePlanner, type Planner } from '../flow/planner.ts';
import { runFlow as runSteps, type StepRecord } from '../flow/run.ts';
import { HandBack } from '../flow/retry-later.ts';
import { FailureClass, Termination } from '../gen/millrace/v1/flow_pb.ts';
import { seededRandom } from '../random/seeded.ts';
import { loadContext } from '../tasks/load.ts';
import { modelIn, withModels, type Models, type ModelTotals } from './current-models.ts';
import { modelPlanner, type PlannerSettings } from './model-planner.ts';

/** A step of a flow as it was taken. */
export interface FlowStep {
  /** 0-based. */
  step: number;
  /** Tool of the first call; empty where none was called. */
  tool: string;
  /** Its arguments as JSON, cut to 4,000 characters. */
  arguments: string;
  /** What the model said beside its calls. */
  said: string;
  /** The tool's answer as text or JSON, cut to 4,000 characters; the message where `error`. */
  result: string;
  error: boolean;
  /** Calls in the same message. */
  calls: number;
}

/** Options of {@link runFlow}. */
export interface RunFlowOptions extends PlannerSettings {
  /** By the names that the flow knows them by; code of tools has them by `modelNamed`. */
  models?: Models;
  /** Name in `models` of what decides. Default `planner`; without a model of this name the flow's rule decides. */
  planner?: string;
  /** Told of each step when it has been taken. */
  onStep?: (step: FlowStep) => void;
  /** Ends the run. */
  signal?: AbortSignal;
  /** What `remember` is given. Default: what the flow's `load` gives. */
  context?: unknown;
  /** Asks the flow's reward about the answer. Default false. */
  score?: boolean;
  /** Default: the system's. */
  clock?: Clock;
}

/** What became of a run. */
export interface FlowResult {
  /** What the flow left behind. */
  answer: Json;
  /** Why it ended: its verifier says so, nothing was open, or it had no steps or tokens left. */
  ended: 'done' | 'no-action' | 'step-limit' | 'token-limit';
  steps: readonly FlowStep[];
  /** Of all models of the run, those of tools included. */
  models: ModelTotals;
  /** With `score`: what the flow's reward says, usually 0 to 1. */
  outcome?: number;
}

const ENDED: Partial<Record<Termination, FlowResult['ended']>> = {
  [Termination.DONE]: 'done',
  [Termination.NO_ACTION]: 'no-action',
  [Termination.STEP_LIMIT]: 'step-limit',
  [Termination.TOKEN_LIMIT]: 'token-limit',
};

/**
 * Runs any flow once, without training, with models of any provider.
 *
 * @param task - as the flow's schema wants it
 * @throws MillraceError `invalid_argument` with the field of the task that is wrong; `failed_precondition` when the flow has neither a planner nor a
 *   rule, or a tool broke; `unavailable` when a tool or the model cannot answer now; `cancelled`
 */
export async function runFlow<T, M>(flow: FlowDefinition<T, M>, task: T, options: RunFlowOptions = {}): Promise<FlowResult> {
  const { models = {}, onStep, signal, score = false, clock = systemClock } = options;
  const checked = checkTask(flow, task);
  if ('problem' in checked)
    throw new MillraceError('invalid_argument', `the task does not suit flow '${flow.name}': ${checked.problem}`, {
      field: 'task',
    });
  const loading = { data: undefined, options: {}, seed: 1, clock };
  const context = 'context' in options ? options.context : await loadContext(flow, loading);
  const steps: FlowStep[] = [];
  const { result: run, totals } = await withModels(models, async (counted) => {
    const inner = plannerOf(flow, counted, options);
    const planner: Planner = {
      choose: (plan, random) => inner.choose(plan, random),
      onStepResult(taken) {
        inner.onStepResult?.(taken);
        steps.push(stepOf(taken as StepRecord, steps.length));
        onStep?.(steps.at(-1)!);
      },
    };
    const random = seededRandom(options.seed ?? 1);
    return runSteps({ flow, task: checked.task, context, planner, random, clock, signal }).catch((thrown: unknown) => {
      throw thrown instanceof HandBack ? new MillraceError('unavailable', thrown.message, { cause: thrown }) : thrown;
    });
  });
  if (run.failure !== undefined) {
    const isModel = run.failure.class === FailureClass.POLICY_UNAVAILABLE;
    throw new MillraceError(isModel ? 'unavailable' : 'failed_precondition', `flow '${flow.name}': ${run.failure.message}`);
  }
  const answer = JSON.parse(run.answerJson) as Json;
  const rewarded = score ? await flow.reward(checked.task, answer, context) : undefined;
  const outcome = typeof rewarded === 'number' ? rewarded : rewarded?.outcome;
  return { answer, ended: ENDED[run.termination]!, steps, models: totals, ...(outcome !== undefined && { outcome }) };
}

function plannerOf(flow: FlowDefinition<any, any>, models: Models, options: RunFlowOptions): Planner {
  const { temperature, maxTokens, seed, signal, planner = 'planner' } = options;
  if (
    options.planner === undefined &&
    !Object.hasOwn(models, planner) &&
    (flow.rule !== undefined || flow.writingRule !== undefined)
  )
    return rulePlanner(flow);
  const settings = {
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(seed !== undefined && { seed }),
  };
  return modelPlanner({ flow, model: modelIn(models, planner, `flow '${flow.name}'`), settings, call: { signal } });
}

function stepOf({ tool, arguments: input, result, error, decision, further }: StepRecord, step: number): FlowStep {
  const said = decision.kind === 'generated' ? (decision.content ?? '') : '';
  return { step, tool, arguments: input, said, result, error, calls: (tool === '' && result === '' ? 0 : 1) + further.length };
}
