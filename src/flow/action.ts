import { isCall, type WrittenCall } from '../base-model/chat/conversation.ts';
import type { Decision, GeneratedDecision } from '../policy/decision.ts';
import type { FlowDefinition, OpenAction } from './define.ts';
import type { FlowShape } from './plan.ts';

/**
 * What was wrong with a generated decision. It is the policy's doing: the step is recorded and the trajectory scored.
 *
 * - `cut_off`: it reached its longest length
 * - `no_call`: it calls no tool
 * - `several_calls`: it calls more than one, and the flow takes one at a time
 * - `malformed_call`: what was meant as a call cannot be read as one
 * - `unknown_tool`: the flow has no tool of that name
 * - `closed_tool`: no open action has that tool
 * - `bad_arguments`: they do not satisfy the tool's schema
 */
export type Mistake =
  'cut_off' | 'no_call' | 'several_calls' | 'malformed_call' | 'unknown_tool' | 'closed_tool' | 'bad_arguments';

/** The call of a tool that a decision stands for. */
export interface Action {
  tool: string;
  /** Memory items that it points to; none where the policy wrote the arguments. */
  items: readonly number[];
  /** Arguments that the policy wrote; absent where the executor fills them in. */
  written?: { arguments: unknown };
}

/** Why a generated decision stands for no call. */
export interface NoAction {
  mistake: Exclude<Mistake, 'bad_arguments'>;
  /** For the flow and for the policy. */
  message: string;
  /** What it wanted to give the tool, if it called one. */
  arguments: unknown;
}

/** The calls of one text, in a flow that takes any number of them. None: the text is the policy's last word. */
export interface Calls {
  calls: readonly (Action | NoAction)[];
}

/** What of a flow decides what a decision stands for. */
export interface ActionRules {
  shape: FlowShape;
  /** How many tools a text may call. */
  takes: NonNullable<FlowDefinition<any, any>['calls']>;
}

/** What a decision stands for, with these actions open. */
export function actionOf(decision: Decision, open: readonly OpenAction[], rules: ActionRules): Action | NoAction | Calls {
  if (decision.kind === 'generated')
    return rules.takes === 'any' ? allCalls(decision, open, rules.shape) : oneCall(decision, open, rules.shape);
  const { tool, items = NO_ITEMS } = open[decision.index]!;
  return { tool, items };
}

const NO_ITEMS: readonly number[] = [];

function oneCall(decision: GeneratedDecision, open: readonly OpenAction[], shape: FlowShape): Action | NoAction {
  const { finish, calls } = decision;
  const [first, ...others] = calls;
  if (finish === 'length') return cutOff(first);
  if (first === undefined) return wrong('no_call', 'the text calls no tool');
  if (others.length > 0) return wrong('several_calls', `the text calls ${calls.length} tools; call one at a time`, first);
  return callOf(first, open, shape);
}

function allCalls({ finish, calls }: GeneratedDecision, open: readonly OpenAction[], shape: FlowShape): Calls {
  // What was cut off may have been meant otherwise: nothing of it is done.
  if (finish === 'length') return { calls: [cutOff(calls[0])] };
  return { calls: calls.map((call) => callOf(call, open, shape)) };
}

function callOf(call: WrittenCall, open: readonly OpenAction[], shape: FlowShape): Action | NoAction {
  if (!isCall(call)) return wrong('malformed_call', call.problem);
  const { tool } = call;
  const names = [...new Set(open.map((action) => action.tool))];
  if (names.includes(tool)) return { tool, items: NO_ITEMS, written: { arguments: call.arguments } };
  const openNow = `open are ${names.join(', ')}`;
  return shape.tools.has(tool)
    ? wrong('closed_tool', `the tool '${tool}' is not open now; ${openNow}`, call)
    : wrong('unknown_tool', `there is no tool '${tool}'; ${openNow}`, call);
}

const cutOff = (first: WrittenCall | undefined): NoAction =>
  wrong('cut_off', 'the text is longer than allowed and was cut off', first);

function wrong(mistake: NoAction['mistake'], message: string, call?: WrittenCall): NoAction {
  return { mistake, message, arguments: call !== undefined && isCall(call) ? call.arguments : undefined };
}
