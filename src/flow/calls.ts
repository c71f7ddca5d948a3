/** What decisions come to: the calls that they stand for, and what came of each. */
import { contentOf, type Decision, type GeneratedDecision } from '../policy/decision.ts';
import type { Action, ActionRules, Mistake, NoAction } from './action.ts';
import type { CallOutcome, Outcome } from './define.ts';
import type { Execution } from './executor.ts';
import { isPromise } from './failure.ts';
import { textOf } from './record-text.ts';

/** A call, or why there is none, and what came of it. */
export interface Performed {
  action: Action | NoAction;
  execution: Execution;
}

/** A call of a text as it is recorded. */
export interface CallRecord {
  /** Empty where no tool of the flow was called. */
  tool: string;
  /** What was wrong with the call. */
  mistake: Mistake | undefined;
  /** As JSON text, cut. */
  arguments: string;
  /** Texts as they are, everything else as JSON, cut; the message when there was an error. */
  result: string;
  /** The tool answered with an error, or the call was a mistake. */
  error: boolean;
}

/**
 * Performs the calls of one text at the same time; what they do at once they do in their order. When one breaks the flow, the others are
 * waited for, and the first failure in the order of the calls is thrown.
 */
export function performAll(
  calls: readonly (Action | NoAction)[],
  perform: (call: Action | NoAction) => Execution | Promise<Execution>,
): Performed[] | Promise<Performed[]> {
  if (calls.length !== 1) return together(calls, perform);
  const action = calls[0]!;
  const execution = perform(action);
  return isPromise(execution) ? execution.then((done) => [{ action, execution: done }]) : [{ action, execution }];
}

async function together(
  calls: readonly (Action | NoAction)[],
  perform: (call: Action | NoAction) => Execution | Promise<Execution>,
): Promise<Performed[]> {
  const ended = await Promise.allSettled(calls.map(async (action) => ({ action, execution: await perform(action) })));
  return ended.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}

/** The policy called nothing that could be run. */
export function refusal({ arguments: input, message }: NoAction): Execution {
  return { input, error: message };
}

/** A call as it is recorded. */
export function callRecord({ action, execution }: Performed): CallRecord {
  const refused = 'mistake' in action;
  return {
    tool: refused ? '' : action.tool,
    mistake: refused ? action.mistake : execution.badArguments && 'bad_arguments',
    arguments: textOf(execution.input),
    result: execution.error ?? textOf(execution.result),
    error: execution.error !== undefined,
  };
}

/** What `verify` is told of a decision. */
export function outcomeOfAll(
  decision: Decision,
  performed: readonly Performed[],
  step: number,
  { takes }: Pick<ActionRules, 'takes'>,
): Outcome {
  const isSaid = takes === 'any' && decision.kind === 'generated';
  return isSaid ? saidOutcome(decision, performed, step) : outcomeOf(performed[0]!, step);
}

/** What it is told of one call. */
function outcomeOf({ action, execution }: Performed, step: number): Outcome {
  if ('mistake' in action) return { tool: '', items: NO_ITEMS, error: action.message, step };
  const { tool, items } = action;
  const { input, result, error } = execution;
  // Literals of few shapes: this is made in every step.
  if (action.written === undefined) return error === undefined ? { tool, items, result, step } : { tool, items, error, step };
  return error === undefined ? { tool, items, arguments: input, result, step } : { tool, items, arguments: input, error, step };
}

/** What it is told of a text with any number of calls: the first one, and all of them in `said`. */
function saidOutcome(decision: GeneratedDecision, performed: readonly Performed[], step: number): Outcome {
  const [first] = performed;
  const { text, calls, tokens, finish } = decision;
  const outcomes = performed.map((each): CallOutcome => {
    const { tool, result, error } = outcomeOf(each, step);
    return { tool, arguments: each.execution.input, ...(error === undefined ? { result } : { error }) };
  });
  const content = contentOf(decision);
  const said = { content, calls, outcomes, tokens: tokens.length, finish, ...(tokens.length > 0 && { text }) };
  return { ...(first === undefined ? { tool: '', items: NO_ITEMS, step } : outcomeOf(first, step)), said };
}

const NO_ITEMS: readonly number[] = [];
