/** A conversation between a policy that writes, people, and tools. */

/** A call as a policy wrote it: neither the tool's name nor its arguments are checked. */
export interface ToolCall {
  readonly tool: string;
  /** Anything that JSON can hold. */
  readonly arguments: unknown;
}

/** What was meant as a call and cannot be read as one. */
export interface MalformedCall {
  /** What is wrong with it, for the policy. */
  readonly problem: string;
}

/** A call in a text. */
export type WrittenCall = ToolCall | MalformedCall;

/** What a policy said in one message. */
export interface Speech {
  /** The text beside the calls. */
  readonly content: string;
  /** The calls, in order. */
  readonly calls: readonly WrittenCall[];
}

/** What the policy said before. */
export interface AssistantMessage extends Speech {
  readonly role: 'assistant';
  /** The message as the policy wrote it, calls included. Absent where the policy did not write it: each policy kind then writes it in its own form. */
  readonly text?: string;
}

/** One message of a conversation. */
export type Message =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | AssistantMessage
  /** What came of a call: the result, or what was wrong. One for each call of the message before, in their order. */
  | { readonly role: 'tool'; readonly tool: string; readonly content: string };

/** A JSON schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A tool as it is described to the model. */
export interface ToolSpecification {
  readonly name: string;
  readonly description: string;
  /** Schema of its arguments, an object. */
  readonly parameters: JsonSchema;
}

/** What a policy that writes answers to with its next message. */
export interface Conversation {
  /**
   * All messages so far. Whatever the policy wrote itself is in them once more as text, where its tokens count: after the last message of the
   * assistant are those that are new to it.
   */
  readonly messages: readonly Message[];
  /** The tools that may be called. */
  readonly tools: readonly ToolSpecification[];
  /** Tokens that the next message may have at most. Default: as many as the policy kind allows. */
  readonly maxTokens?: number;
}

/** The messages after the last one of the assistant: what is new to a policy that has written it. */
export function newMessages(messages: readonly Message[]): readonly Message[] {
  return messages.slice(messages.findLastIndex(({ role }) => role === 'assistant') + 1);
}

/** Whether a call could be read. */
export function isCall(call: WrittenCall): call is ToolCall {
  return 'tool' in call;
}
