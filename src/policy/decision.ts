/** What a policy decides at one step of a flow: one of the open actions, or a text that it writes and that calls a tool. */
import { isCall, type WrittenCall } from '../base-model/chat/conversation.ts';

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
  /** All that was written. */
  readonly text: string;
  /** The calls in it, in order; none where the text calls no tool. */
  readonly calls: readonly WrittenCall[];
  /** What is said beside the calls. Default: nothing, and `text` where it calls no tool. */
  readonly content?: string | undefined;
}

/** Takes an open action by its index in `plan.actions`. */
export function choice(index: number): ChoiceDecision {
  return { kind: 'choice', index };
}

/** What was generated, with what it says. */
export function generated(
  { tokens, logProbabilities, finish }: Generation,
  { text, calls, content }: Reading,
): GeneratedDecision {
  return { kind: 'generated', tokens, logProbabilities, finish, text, calls, content };
}

/** What a text says beside its calls. */
export function contentOf({ text, calls, content }: Reading): string {
  return content ?? (calls.length === 0 ? text : '');
}

/**
 * What makes two generated decisions the same action: the tools and their arguments, whatever the order of their fields and however the
 * text is worded. Texts without a call that can be read are the same where they are equal, and so are those whose arguments are nested too
 * deeply for JSON.
 */
export function actionKey({ text, calls }: Reading): string {
  if (calls.length === 0 || !calls.every(isCall)) return `text ${text}`;
  try {
    return calls.map(({ tool, arguments: args }) => `call ${tool} ${canonicalJson(args)}`).join('\n');
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
