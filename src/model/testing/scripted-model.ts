import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system.ts';
import { retryAfterMs } from '../../http/retry-after.ts';
import { problemOf, throwIfStopped } from '../http/post.ts';
import type { CallOptions, Model, ModelEvent, ModelRequest, ModelResult } from '../model.ts';
import { ModelError } from '../model-error.ts';
import { ResultBuilder } from '../result-builder.ts';
import { callsOf, cutOf, finishOf, lastText, piecesOf, replyTo, usageOf } from './script.ts';
import type { Script, ScriptedCall, ScriptedFault, ScriptedReply } from './script.ts';

/** A model that answers what its script says. */
export interface ScriptedModel extends Model {
  /** The calls so far, in their order. */
  readonly calls: readonly ScriptedCall[];
}

/** Options of {@link scriptedModel}. */
export interface ScriptedModelOptions {
  /** Default `scripted`. */
  name?: string;
  /** Waits of the script pass on it. Default: the system's. */
  clock?: Clock;
}

/** A model without a provider, for tests, examples and serial mode: the same script gives the same answers. */
export function scriptedModel(
  script: Script,
  { name = 'scripted', clock = systemClock }: ScriptedModelOptions = {},
): ScriptedModel {
  const calls: ScriptedCall[] = [];
  const what = `model '${name}'`;
  async function* stream(
    request: ModelRequest,
    { signal }: CallOptions = {},
    isStream = true,
  ): AsyncGenerator<ModelEvent, void, undefined> {
    throwIfStopped(signal, what);
    const builder = new ResultBuilder(name, clock);
    const call = { index: calls.length, request, text: lastText(request), stream: isStream, model: name, headers: {} };
    calls.push(call);
    const reply = await replyTo(script, call);
    const wait = (ms: number): Promise<void> => clock.sleep(ms, signal).catch((thrown: unknown) => passOn(thrown, signal, what));
    if (reply.latencyMs !== undefined) await wait(reply.latencyMs);
    const { fault } = reply;
    if (fault === 'hang') await wait(Infinity);
    const cutAfter = cutOf(fault);
    if (fault !== undefined && cutAfter === Infinity) throw failureOf(fault, what, clock);
    let sent = 0;
    for (const piece of eventsOf(reply)) {
      if (sent >= cutAfter) break;
      if (reply.pieceMs !== undefined && isStream) await wait(reply.pieceMs);
      throwIfStopped(signal, what);
      const event = piece.type === 'text' ? builder.text(piece.text) : builder.call(piece.index, piece);
      if (event !== undefined) yield event;
      sent += 1;
    }
    if (fault !== undefined) throw new ModelError('MODEL_STREAM_CUT', `${what}: the script breaks off here`);
    takeEnd(reply, request, builder);
    yield { type: 'end', result: builder.result() };
  }
  return {
    name,
    calls,
    stream,
    async generate(request, options): Promise<ModelResult> {
      let last: ModelEvent | undefined;
      for await (const event of stream(request, options, false)) last = event;
      const { firstEventMs: _, ...result } = (last as Extract<ModelEvent, { type: 'end' }>).result;
      return result;
    },
  };
}

/** Text and calls of a reply in pieces. */
function* eventsOf(reply: ScriptedReply): Generator<Exclude<ModelEvent, { type: 'end' }>> {
  for (const text of piecesOf(reply.text ?? '', reply.pieceLength)) yield { type: 'text', text };
  for (const [index, { id, tool, arguments: args }] of callsOf(reply).entries()) {
    yield { type: 'call', index, id, tool, arguments: '' };
    for (const piece of piecesOf(args, reply.pieceLength)) yield { type: 'call', index, arguments: piece };
  }
}

/** What is known when a reply ends. */
function takeEnd(reply: ScriptedReply, request: ModelRequest, builder: ResultBuilder): void {
  builder.finish = finishOf(reply);
  builder.usage = usageOf(reply, request);
  if (request.tokenIds === true) builder.promptTokens = reply.promptTokens;
  builder.tokens(
    request.tokenIds === true ? reply.tokens : undefined,
    request.logProbabilities === true ? reply.logProbabilities : undefined,
  );
}

function failureOf(fault: ScriptedFault, what: string, clock: Clock): ModelError {
  if (fault === 'malformed') return new ModelError('MODEL_ANSWER_MALFORMED', `${what}: the script answers what is no JSON`);
  if (typeof fault === 'string' || !('status' in fault))
    return new ModelError('MODEL_UNREACHABLE', `${what}: the script closes the connection`, { maybeBilled: true });
  const { status, retryAfter, message = 'as the script says' } = fault;
  return new ModelError(problemOf(status), `${what}: HTTP ${status}: ${message}`, {
    status,
    retryAfterMs: retryAfterMs(retryAfter, clock.now()),
    maybeBilled: false,
  });
}

function passOn(thrown: unknown, signal: AbortSignal | undefined, what: string): never {
  throwIfStopped(signal, what);
  throw thrown;
}
