import type { Decision, GeneratedDecision } from '../policy/decision.ts';
import type { OpenAction } from './define.ts';
import type { FlowShape } from './plan.ts';

/**
 * What was wrong with a generated decision. It is the policy's doing: the step is recorded and the trajectory scored.
 *
 * - `cut_off`: it reached its longest length
 * - `no_call`: it calls no tool
 * - `unknown_tool`: the flow has no tool of that name
 * - `closed_tool`: no open action has that tool
 * - `bad_arguments`: they do not satisfy the tool's schema
 */
export type Mistake = 'cut_off' | 'no_call' | 'unknown_tool' | 'closed_tool' | 'bad_arguments';

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

/** What a decision stands for, with these actions open. */
export function actionOf(decision: Decision, open: readonly OpenAction[], shape: FlowShape): Action | NoAction {
  if (decision.kind === 'generated') return calledAction(decision, open, shape);
  const { tool, items = NO_ITEMS } = open[decision.index]!;
  return { tool, items };
}

const NO_ITEMS: readonly number[] = [];

function calledAction({ finish, toolCall }: GeneratedDecision, open: readonly OpenAction[], shape: FlowShape): Action | NoAction {
  const wrong = (mistake: NoAction['mistake'], message: string): NoAction => ({
    mistake,
    message,
    arguments: toolCall?.arguments,
  });
  if (finish === 'length') return wrong('cut_off', 'the text is longer than allowed and was cut off');
  if (toolCall === undefined) return wrong('no_call', 'the text calls no tool');
  const { tool } = toolCall;
  const names = [...new Set(open.map((action) => action.tool))];
  if (names.includes(tool)) return { tool, items: NO_ITEMS, written: { arguments: toolCall.arguments } };
  const openNow = `open are ${names.join(', ')}`;
  return shape.tools.has(tool)
    ? wrong('closed_tool', `the tool '${tool}' is not open now; ${openNow}`)
    : wrong('unknown_tool', `there is no tool '${tool}'; ${openNow}`);
}
