import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system.ts';
import { MillraceError } from '../errors.ts';
import { IN_WORDS } from '../algo/schema/issue-words.ts';
import type { ModelMessage } from '../model/model.ts';
import { generateObject } from '../model/structured.ts';
import { modelIn, withModels, type Models, type ModelTotals } from './current-models.ts';
import type { ModelStep, StepInput, WorkflowDefinition, WorkflowStep } from './define-workflow.ts';
import { runFlow } from './run-flow.ts';

/** A step that has ended. */
export interface EndedStep {
  name: string;
  result: unknown;
  /** Tries, the first included. */
  attempts: number;
  /** Milliseconds. */
  ms: number;
}

/** Options of {@link runWorkflow}. */
export interface RunWorkflowOptions {
  /** By the names that steps ask for. */
  models?: Models;
  /** Told of each step when it has ended. */
  onStep?: (step: EndedStep) => void;
  signal?: AbortSignal;
  /** Default: the system's. */
  clock?: Clock;
}

/** What became of a workflow. */
export interface WorkflowResult {
  answer: unknown;
  /** By step. */
  results: Readonly<Record<string, unknown>>;
  /** In the order in which they ended. */
  steps: readonly EndedStep[];
  models: ModelTotals;
}

/** First wait before a step is tried again; it doubles. */
const RETRY_MS = 500;

/**
 * Runs a workflow. Each step begins when those in its `after` have ended; when one fails, those that run are stopped, and its error is thrown.
 *
 * @throws MillraceError `invalid_argument` (field `input`); what a step throws, with its name
 */
export async function runWorkflow<I>(
  workflow: WorkflowDefinition<I>,
  input: I,
  options: RunWorkflowOptions = {},
): Promise<WorkflowResult> {
  const { models = {}, onStep, clock = systemClock } = options;
  const checked = checkedInput(workflow, input);
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const results: Record<string, unknown> = {};
  const steps: EndedStep[] = [];
  const { totals } = await withModels(models, async (counted) => {
    const begun = new Map<string, Promise<void>>();
    const begin = (name: string): Promise<void> => {
      let running = begun.get(name);
      if (running === undefined) begun.set(name, (running = run(name, workflow.steps[name]!)));
      return running;
    };
    const run = async (name: string, step: WorkflowStep<I>): Promise<void> => {
      await Promise.all((step.after ?? []).map(begin));
      const startedAt = clock.monotonic();
      const { result, attempts } = await tried({ step, name, clock, signal }, () =>
        perform(step, { input: checked, results: { ...results }, signal }, { models: counted, clock }),
      );
      results[name] = result;
      steps.push({ name, result, attempts, ms: clock.monotonic() - startedAt });
      onStep?.(steps.at(-1)!);
    };
    const all = Object.keys(workflow.steps).map(begin);
    await Promise.all(all).catch(async (thrown: unknown) => {
      stop.abort(thrown);
      await Promise.allSettled(all);
      throw thrown;
    });
  });
  const last = Object.keys(workflow.steps).at(-1)!;
  return { answer: workflow.answer === undefined ? results[last] : workflow.answer(results), results, steps, models: totals };
}

function checkedInput<I>({ name, input: schema }: WorkflowDefinition<I>, input: I): I {
  const parsed = schema?.safeParse(input, IN_WORDS);
  if (parsed === undefined) return input;
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = ['input', ...issue!.path].join('.');
  throw new MillraceError('invalid_argument', `workflow '${name}': ${field}: ${issue!.message}`, { field });
}

interface Tried<I> {
  step: WorkflowStep<I>;
  name: string;
  clock: Clock;
  signal: AbortSignal;
}

async function tried<I>(
  { step, name, clock, signal }: Tried<I>,
  perform: () => Promise<unknown>,
): Promise<{ result: unknown; attempts: number }> {
  for (let attempts = 1; ; attempts++) {
    try {
      if (signal.aborted) throw new MillraceError('cancelled', 'the workflow was stopped', { cause: signal.reason });
      return { result: await perform(), attempts };
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (attempts > (step.retries ?? 0) || signal.aborted)
        throw new MillraceError(error.code, `step '${name}': ${error.message}`, {
          cause: thrown,
          reason: error.reason,
          retryable: error.retryable,
        });
      await clock.sleep(RETRY_MS * 2 ** (attempts - 1), signal);
    }
  }
}

async function perform<I>(
  step: WorkflowStep<I>,
  given: StepInput<I>,
  { models, clock }: { models: Models; clock: Clock },
): Promise<unknown> {
  if ('run' in step) return step.run(given);
  const { signal } = given;
  if ('flow' in step) {
    const own = step.model === undefined ? {} : { planner: step.model };
    const { answer } = await runFlow(step.flow, step.task(given), { models, signal, clock, ...own });
    return answer;
  }
  return askModel(step, given, models);
}

async function askModel<I>(step: ModelStep<I>, given: StepInput<I>, models: Models): Promise<unknown> {
  const { instructions, output, temperature, maxTokens, stop, seed } = step;
  const model = modelIn(models, step.model, 'a step');
  const prompt = step.prompt(given);
  const said: readonly ModelMessage[] = typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt;
  const request = {
    messages: [...(instructions === undefined ? [] : [{ role: 'system' as const, content: instructions }]), ...said],
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(stop !== undefined && { stop }),
    ...(seed !== undefined && { seed }),
  };
  const call = { signal: given.signal };
  if (output === undefined) return (await model.generate(request, call)).text;
  return (await generateObject(model, { ...request, schema: output }, call)).value;
}
