/** What a policy decides at one step of a flow: one of the open actions, or a text that it writes and that calls a tool. */

/** One of the actions that were open. */
export interface ChoiceDecision {
  readonly kind: 'choice';
  /** Index into `plan.actions`. */
  readonly index: number;
}

/** A text that the policy wrote token by token. */
export interface GeneratedDecision extends Generation, Reading {
  readonly kind: 'generated';
}

/** What a policy decided. */
export type Decision = ChoiceDecision | GeneratedDecision;

/** Why a generation ended: the policy ended it, or it reached its longest length. */
export type FinishReason = 'stop' | 'length';

/** Tokens as they were sampled. They are kept and trained on as they are; text is never turned into tokens again. */
export interface Generation {
  /** Token ids, at least one; uint32. */
  readonly tokens: readonly number[];
  /** log-probability of each token under what it was sampled from, in nats. */
  readonly logProbabilities: readonly number[];
  readonly finish: FinishReason;
}

/** What tokens say. */
export interface Reading {
  readonly text: string;
  /** Undefined where the text calls no tool. */
  readonly toolCall: ToolCall | undefined;
}

/** A call as a policy wrote it: neither the tool's name nor its arguments are checked. */
export interface ToolCall {
  readonly tool: string;
  /** Anything that JSON can hold. */
  readonly arguments: unknown;
}

/** Takes an open action by its index in `plan.actions`. */
export function choice(index: number): ChoiceDecision {
  return { kind: 'choice', index };
}

/** What was generated, with what it says. */
export function generated({ tokens, logProbabilities, finish }: Generation, { text, toolCall }: Reading): GeneratedDecision {
  return { kind: 'generated', tokens, logProbabilities, finish, text, toolCall };
}

/**
 * What makes two generated decisions the same action: the tool and its arguments, whatever the order of their fields and however the
 * text is worded. Texts that call nothing are the same where they are equal, and so are those whose arguments are nested too deeply for JSON.
 */
export function actionKey({ text, toolCall }: Reading): string {
  if (toolCall === undefined) return `text ${text}`;
  try {
    return `call ${toolCall.tool} ${canonicalJson(toolCall.arguments)}`;
  } catch {
    return `text ${text}`;
  }
}

/** JSON with the fields of objects in the order of their names. */
function canonicalJson(value: unknown): string {
  return (
    (JSON.stringify(value, (_, part: unknown) => {
      if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
      const fields = Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      return Object.fromEntries(fields);
    }) as string | undefined) ?? 'undefined'
  );
}
