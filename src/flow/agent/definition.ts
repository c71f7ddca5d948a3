import type { z } from 'zod';
import type { Conversation, Message, Speech, ToolCall } from '../../base-model/chat/conversation.ts';
import type { CallOutcome, FlowDefinition, Json, Tool, Verification } from '../define.ts';

/** A tool of an agent: what the model may call with arguments that it writes. */
export interface AgentTool<M, I = unknown, R = unknown> extends Pick<
  Tool<M, I, R>,
  'run' | 'maxCost' | 'timeoutMs' | 'onTimeout'
> {
  /** A letter, then letters, digits, `_`, `-` or `.`, at most 64; different from those of the agent's other tools. */
  name: string;
  /** What it does, for the model. */
  description: string;
  /** What it takes: the model is shown its JSON schema. Arguments that do not satisfy it come back to the model as an error. */
  input: z.ZodType<I>;
}

/** What a model said in one turn, and what came of its calls. */
export interface AgentTurn {
  /** 0-based. */
  turn: number;
  /** The text beside the calls. */
  content: string;
  /** What came of each call, in order: `error` where the tool threw a ToolError or the call could not be made. */
  calls: readonly CallOutcome[];
  /** The text calls nothing: it is the model's answer. */
  isAnswer: boolean;
  /** The whole text as it was written. Absent where the agent's rule wrote it. */
  text: string | undefined;
}

/** What `verify` of an agent says in more words. */
export interface AgentVerification extends Pick<Verification, 'next' | 'verified'> {
  /** With `next: 'continue'`: a message of the user that the model is shown next. It is what makes a conversation go on after an answer. */
  message?: string;
}

/** Fields that mean the same as in any flow. */
type Shared =
  | ('name' | 'description' | 'task' | 'id' | 'splitKey' | 'type' | 'load' | 'files' | 'fromQuery')
  | ('reward' | 'maxRewardCost' | 'components' | 'potential' | 'bucket' | 'observe' | 'toolTimeoutMs');

/**
 * An agent: a language model that talks and calls tools, trained as the planner of a flow. `T` is the task, `M` the memory.
 *
 * Each turn the model reads the conversation and writes a message. Its calls are run at the same time and their results are added to the
 * conversation; a message without a call is its answer and ends it. A call that cannot be read, an unknown tool and arguments that the tool
 * does not take come back to the model as errors: it may try again, and is scored for what it did.
 *
 * The modules of the flow: the model is the planner ({@link rule} can stand in for it), {@link execute} the executor, {@link verify} the
 * verifier and {@link answer} the generator.
 */
export interface AgentDefinition<T, M> extends Pick<FlowDefinition<T, M>, Shared> {
  /** What the model is told before everything else: the system message. */
  instructions: string | ((task: T, context: unknown) => string);
  /** The conversation that the model is to answer to: the text of the user, or several messages. `context`: what `load` returned. */
  messages(task: T, context: unknown): string | readonly Message[];
  /** What it may call; none: it answers at once. */
  tools: readonly AgentTool<M, any, any>[];
  /** What tools work on, at the start of each conversation. Default: an empty object. */
  memory?(task: T, context: unknown): M;
  /** Planner: what to say, written by hand; a text is an answer. Reports compare the model with it, and it shows the model how it is done. */
  rule?(memory: M, conversation: Conversation): string | Partial<Speech>;
  /** Executor: runs a call whose arguments are checked. Default: `run()`, the tool itself. */
  execute?(call: ToolCall, memory: M, run: () => unknown): unknown;
  /**
   * Verifier: looks at each turn, and may end the conversation, confirm the turn, or have a word with the model. Default: an answer ends it.
   */
  verify?(memory: M, turn: AgentTurn): 'continue' | 'stop' | AgentVerification;
  /** Generator: what the reward is given; at most 65,536 characters of JSON. Default: `text`, the model's answer, null where it gave none. */
  answer?(memory: M, text: string | null): Json;
  /** Turns at most, from 1; the trajectory then ends as `step_limit`. Default 10. */
  maxTurns?: number | ((task: T) => number);
  /** Tokens at most that the model may write in one conversation, from 1; the trajectory then ends as `token_limit`. Default: no limit. */
  tokenBudget?: number;
}

/** Memory of the flow that an agent is. */
export interface AgentMemory<M> {
  /** The agent's own. */
  readonly own: M;
  /** The conversation so far; replaced, never changed. */
  messages: readonly Message[];
  /** Tokens that the model has written. */
  written: number;
  /** The model's answer. */
  answer: string | null;
}

/** Declares a tool of an agent with memory of type M, with its arguments typed by the schema. */
export function agentTool<M>() {
  return <I, R>(tool: AgentTool<M, I, R>): AgentTool<M, I, R> => tool;
}
