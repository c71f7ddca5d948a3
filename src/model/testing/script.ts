import type { ModelCall, ModelFinish, ModelRequest, ModelUsage } from '../model.ts';

/** What goes wrong with a call. */
export type ScriptedFault =
  /** Answered with this HTTP status. `retryAfter`: the header, seconds or an HTTP date. */
  | { readonly status: number; readonly retryAfter?: string; readonly message?: string }
  /** Status 200 with what is no JSON; in a stream after the first piece. */
  | 'malformed'
  /** A stream breaks off after so many pieces, an answer in one piece in its middle. */
  | { readonly cutAfter: number }
  /** The connection is closed without an answer. */
  | 'closed'
  /** Nothing is ever answered; the call ends when it is stopped. */
  | 'hang';

/** One answer of a script. */
export interface ScriptedReply {
  /** Default: nothing is said. */
  readonly text?: string;
  /** Calls; arguments that are no text become JSON. Ids: `call_0`, `call_1`, … */
  readonly calls?: readonly { readonly id?: string; readonly tool: string; readonly arguments: unknown }[];
  /** Default: `tool_calls` where there are calls, else `stop`. */
  readonly finish?: ModelFinish;
  /** `null`: the provider does not say. Default: a token for each four characters. */
  readonly usage?: ModelUsage | null;
  readonly promptTokens?: readonly number[];
  readonly tokens?: readonly number[];
  readonly logProbabilities?: readonly number[];
  /** Wait before anything is answered. Default 0. */
  readonly latencyMs?: number;
  /** Wait before each piece of a stream: slow tokens. Default 0. */
  readonly pieceMs?: number;
  /** Characters of a piece. Default 8. */
  readonly pieceLength?: number;
  readonly fault?: ScriptedFault;
}

/** A call that a script answers. */
export interface ScriptedCall {
  /** 0-based, over all calls. */
  readonly index: number;
  readonly request: ModelRequest;
  /** Text of the last message. */
  readonly text: string;
  readonly stream: boolean;
  /** The model that was asked for. */
  readonly model: string;
  /** Of a call over HTTP; names in small letters. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * What to answer: replies in the order of the calls (the last one again and again when they have come to an end), or a function of the call. A
 * text is a reply that says it.
 */
export type Script =
  readonly (ScriptedReply | string)[] | ((call: ScriptedCall) => ScriptedReply | string | Promise<ScriptedReply | string>);

/** The reply to a call. A script without a reply answers with nothing. */
export async function replyTo(script: Script, call: ScriptedCall): Promise<ScriptedReply> {
  const reply = typeof script === 'function' ? await script(call) : (script[Math.min(call.index, script.length - 1)] ?? {});
  return typeof reply === 'string' ? { text: reply } : reply;
}

/** The calls of a reply. */
export function callsOf({ calls = [] }: ScriptedReply): ModelCall[] {
  return calls.map(({ id, tool, arguments: args }, i) => ({
    id: id ?? `call_${i}`,
    tool,
    arguments: typeof args === 'string' ? args : JSON.stringify(args),
  }));
}

/** Why a reply ends. */
export function finishOf({ finish, calls = [] }: ScriptedReply): ModelFinish {
  return finish ?? (calls.length > 0 ? 'tool_calls' : 'stop');
}

/** What a reply uses. */
export function usageOf(reply: ScriptedReply, request: ModelRequest): ModelUsage | undefined {
  if (reply.usage !== undefined) return reply.usage ?? undefined;
  const read = request.messages.reduce((sum, { content }) => sum + textIn(content).length, 0);
  const written = (reply.text ?? '').length + callsOf(reply).reduce((sum, call) => sum + call.arguments.length, 0);
  return { tokensIn: Math.ceil(read / 4), tokensOut: Math.ceil(written / 4) };
}

/** Pieces of an answer after which it breaks off; Infinity where it does not. */
export function cutOf(fault: ScriptedFault | undefined): number {
  return typeof fault === 'object' && 'cutAfter' in fault ? fault.cutAfter : Infinity;
}

/** A text in the pieces that a stream sends. */
export function piecesOf(text: string, length = 8): string[] {
  return Array.from({ length: Math.ceil(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length));
}

/** Text of the last message. */
export function lastText({ messages }: ModelRequest): string {
  return textIn(messages.at(-1)?.content ?? '');
}

function textIn(content: ModelRequest['messages'][number]['content']): string {
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}
