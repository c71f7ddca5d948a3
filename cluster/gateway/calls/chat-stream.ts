import type { IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';
import { MillraceError } from '../../../src/errors.ts';
import { openAiError } from '../openai-errors.ts';
import { ChatAssembly, objectOf, type Loose } from './chat-response.ts';
import type { ChatRequest } from './chat-request.ts';
import type { RecordedCall } from './recorded-call.ts';

/** Characters of all events of a stream: what is more is a mistake of the upstream, and must not fill the memory. */
const MOST_CHARS = 32 * 1024 * 1024;

/** What {@link chatStream} passes on. */
export interface ChatStream {
  upstream: IncomingMessage;
  request: Pick<ChatRequest, 'choices' | 'wantsUsage'>;
  call: RecordedCall;
  signal: AbortSignal;
  /** Takes the provider's key out of a text. */
  clean: (text: string) => string;
}

/**
 * The events of a streamed completion for the client, as they come. From the event on that ends the last choice they are held until
 * the whole response is in the journal: a client that has seen the end of an answer finds it there. Reading waits for the client, and so does the
 * upstream. A stream that breaks off, or whose client leaves, is written down as cut.
 */
export async function* chatStream(stream: ChatStream): AsyncGenerator<string> {
  const { upstream, call, signal } = stream;
  const assembly = new ChatAssembly();
  const httpStatus = upstream.statusCode ?? 0;
  let whole = false;
  try {
    const held: string[] = [];
    for await (const { text, ends } of passed(stream, assembly)) {
      if (held.length > 0 || ends) held.push(text);
      else yield text;
    }
    if (assembly.finished < stream.request.choices)
      throw new MillraceError('unavailable', 'The stream of the upstream ended before its answer did.', { reason: 'STREAM_CUT' });
    await call.end({ status: 'completed', httpStatus, response: assembly.response });
    whole = true;
    yield* held;
  } catch (thrown) {
    const error = MillraceError.from(signal.aborted ? signal.reason : thrown);
    // A journal that does not take the end of a whole answer: the client must not take it for one.
    await call.end({ status: 'cut', httpStatus, response: assembly.response, error: error.message }).catch(() => {});
    if (signal.aborted) throw error;
    yield `data: ${JSON.stringify(openAiError(error))}\n\n`;
    throw error;
  } finally {
    // Also where the client has left while the generator was waiting for it.
    upstream.destroy();
    if (!whole)
      void call.end({ status: 'cut', httpStatus, response: assembly.response, error: 'The client left.' }).catch(() => {});
  }
}

/** Events with what they add, those of the upstream's errors included; `ends`: it, or one before, is the end of the last choice. */
async function* passed(
  { upstream, request, call, clean }: ChatStream,
  assembly: ChatAssembly,
): AsyncGenerator<{ text: string; ends: boolean }> {
  const arrived: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => arrived.push(data) });
  const decoder = new TextDecoder();
  let chars = 0;
  for await (const bytes of upstream as AsyncIterable<Buffer>) {
    call.onFirstByte();
    const text = decoder.decode(bytes, { stream: true });
    chars += text.length;
    if (chars > MOST_CHARS)
      throw new MillraceError('unavailable', `The stream of the upstream is longer than ${MOST_CHARS} characters.`);
    parser.feed(text);
    for (const data of arrived.splice(0)) {
      const cleaned = clean(data);
      if (isOwn(cleaned, assembly, request.wantsUsage)) continue;
      yield { text: `data: ${cleaned.replaceAll('\n', '\ndata: ')}\n\n`, ends: assembly.finished >= request.choices };
    }
  }
}

/** Adds an event to the answer; true for one that only the gateway asked for. Throws what the upstream says went wrong. */
function isOwn(data: string, assembly: ChatAssembly, wantsUsage: boolean): boolean {
  if (data === '[DONE]') return false;
  let chunk: Loose;
  try {
    chunk = objectOf(JSON.parse(data));
  } catch (cause) {
    throw new MillraceError('unavailable', 'An event of the upstream is no JSON.', { cause, reason: 'UPSTREAM_MALFORMED' });
  }
  const { error } = chunk;
  if (error !== undefined && error !== null) {
    const { message = error } = objectOf(error);
    const said = (typeof message === 'string' ? message : JSON.stringify(message)).slice(0, 300);
    throw new MillraceError('unavailable', `The upstream failed: ${said}`, { reason: 'UPSTREAM_FAILED' });
  }
  assembly.add(chunk);
  const { choices, usage } = chunk;
  return !wantsUsage && Array.isArray(choices) && choices.length === 0 && usage !== undefined;
}
