import type { z } from 'zod';
import { MillraceError } from '../errors.ts';
import type { FlowDefinition } from '../flow/define.ts';
import type { ModelMessage, ModelRequest } from '../model/model.ts';

/** What a step is given. */
export interface StepInput<I> {
  /** What the workflow was started with. */
  input: I;
  /** What the steps before it left behind, by their names: those in `after`, and all before them. */
  results: Readonly<Record<string, any>>;
  signal: AbortSignal;
}

interface AnyStep {
  /** Steps that must have ended before. Default: none, so that it begins at once. */
  after?: readonly string[];
  /** How often it is tried again when it fails, with growing waits; 0 to 20. Default 0. */
  retries?: number;
}

/** A step that is code. */
export interface FunctionStep<I> extends AnyStep {
  run(step: StepInput<I>): unknown;
}

/** A step that asks a model; its result is the text, or the value where there is an `output`. */
export interface ModelStep<I> extends AnyStep, Pick<ModelRequest, 'temperature' | 'maxTokens' | 'stop' | 'seed'> {
  /** Name in `models`. */
  model: string;
  /** What the model is told: the text of the user, or a conversation. */
  prompt(step: StepInput<I>): string | readonly ModelMessage[];
  /** The system message. Default: none. */
  instructions?: string;
  /** The answer must be JSON of this schema; a wrong one is asked for again. Default: any text. */
  output?: z.ZodType;
}

/** A step that is a flow, or an agent; its result is the answer. */
export interface FlowStepDefinition<I> extends AnyStep {
  flow: FlowDefinition<any, any>;
  task(step: StepInput<I>): unknown;
  /** Name in `models` of what decides in it. Default `planner`. */
  model?: string;
}

/** A step of a workflow. */
export type WorkflowStep<I> = FunctionStep<I> | ModelStep<I> | FlowStepDefinition<I>;

/** Steps by name, and what they come to. */
export interface WorkflowDefinition<I> {
  name: string;
  /** One sentence. */
  description?: string;
  /** What it is started with. Default: anything. */
  input?: z.ZodType<I>;
  /** Steps whose dependencies have ended run at the same time. */
  steps: Readonly<Record<string, WorkflowStep<I>>>;
  /** What the workflow leaves behind. Default: the result of the last step. */
  answer?(results: Readonly<Record<string, any>>): unknown;
}

/**
 * Declares a workflow: named steps that are functions, models or flows.
 *
 * @throws MillraceError `invalid_argument` (field `steps.<name>…`) for a step of no kind, an unknown dependency, or steps that wait for each other
 */
export function defineWorkflow<I>(workflow: WorkflowDefinition<I>): WorkflowDefinition<I> {
  const wrong = (field: string, problem: string): never => {
    throw new MillraceError('invalid_argument', `workflow '${workflow.name}': ${field} ${problem}`, { field });
  };
  const names = Object.keys(workflow.steps);
  if (names.length === 0) wrong('steps', 'must have at least one step');
  for (const [name, step] of Object.entries(workflow.steps)) {
    const kinds = ['run', 'model', 'flow'].filter((kind) => kind in step && !(kind === 'model' && 'flow' in step));
    if (kinds.length !== 1) wrong(`steps.${name}`, `must have one of run, model and flow, got ${kinds.join(' and ') || 'none'}`);
    const { retries = 0, after = [] } = step;
    if (!Number.isInteger(retries) || retries < 0 || retries > 20)
      wrong(`steps.${name}.retries`, `must be a whole number from 0 to 20, got ${retries}`);
    for (const other of after)
      if (!names.includes(other)) wrong(`steps.${name}.after`, `names '${other}', and the steps are ${names.join(', ')}`);
  }
  const cycle = cycleIn(workflow.steps);
  if (cycle !== undefined) wrong('steps', `wait for each other: ${cycle.join(' → ')}`);
  return workflow;
}

/** Whether a value is a workflow. */
export function isWorkflow(value: unknown): value is WorkflowDefinition<unknown> {
  return (
    typeof value === 'object' && value !== null && 'steps' in value && typeof value.steps === 'object' && !('tools' in value)
  );
}

/** Steps of which each waits for the next, and the last for the first. */
function cycleIn(steps: Readonly<Record<string, AnyStep>>): string[] | undefined {
  const done = new Set<string>();
  const search = (name: string, above: readonly string[]): string[] | undefined => {
    if (above.includes(name)) return [...above.slice(above.indexOf(name)), name];
    if (done.has(name)) return undefined;
    for (const other of steps[name]?.after ?? []) {
      const found = search(other, [...above, name]);
      if (found !== undefined) return found;
    }
    done.add(name);
    return undefined;
  };
  for (const name of Object.keys(steps)) {
    const found = search(name, []);
    if (found !== undefined) return found;
  }
  return undefined;
}
