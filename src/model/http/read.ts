import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { z } from 'zod';
import { ModelError } from '../model-error.ts';
import { boundedText } from './body.ts';
import { quoted, type Endpoint } from './endpoint.ts';
import { deepest, throwIfStopped } from './post.ts';

/** Longest answer that is read, in bytes: what is longer is a mistake of the server, and must not fill the memory. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Longest event of a stream, in characters. */
const MAX_EVENT_CHARS = 16 * 1024 * 1024;

/** Reads an answer that is one JSON value. @throws ModelError `MODEL_ANSWER_MALFORMED`, or `MODEL_STREAM_CUT` where the connection broke */
export async function readJson<T>(
  endpoint: Endpoint,
  response: Response,
  schema: z.ZodType<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  let text: string;
  try {
    text = await boundedText(response, MAX_ANSWER_BYTES);
  } catch (thrown) {
    throw broken(endpoint, thrown, signal);
  }
  return parseAnswer(endpoint, text, schema);
}

/** Reads JSON of an answer. @throws ModelError `MODEL_ANSWER_MALFORMED` with the field that is wrong */
export function parseAnswer<T>({ what, secrets }: Pick<Endpoint, 'what' | 'secrets'>, text: string, schema: z.ZodType<T>): T {
  const malformed = (problem: string): ModelError =>
    new ModelError('MODEL_ANSWER_MALFORMED', `${what}: the answer cannot be read: ${problem}`);
  let json: unknown;
  try {
    json = JSON.parse(text) as unknown;
  } catch {
    throw malformed(`it is not JSON: ${quoted(text.slice(0, 80), secrets)}`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(`${issue!.path.join('.') || 'its form'}: ${issue!.message}`);
}

/** The events of a stream (SSE) as they arrive. @throws ModelError `MODEL_STREAM_CUT` where the connection broke */
export async function* readEvents(
  endpoint: Endpoint,
  response: Response,
  signal: AbortSignal | undefined,
): AsyncGenerator<EventSourceMessage> {
  const arrived: EventSourceMessage[] = [];
  let tooLong = false;
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent: (event) => void arrived.push(event),
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') tooLong = true;
    },
  });
  const decoder = new TextDecoder();
  const body = ((response.body ?? []) as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await body.next().catch((thrown: unknown) => {
        throw broken(endpoint, thrown, signal);
      });
      if (next.value !== undefined) parser.feed(decoder.decode(next.value as Uint8Array, { stream: true }));
      yield* arrived.splice(0);
      if (tooLong)
        throw new ModelError('MODEL_ANSWER_MALFORMED', `${endpoint.what}: an event of the stream is longer than 16 MiB`);
      if (next.done) return;
    }
  } finally {
    // Whoever leaves early ends the answer at the provider as well.
    await body.return?.().catch(() => undefined);
  }
}

/** The connection broke in the middle of an answer. */
function broken({ what, secrets }: Endpoint, thrown: unknown, signal: AbortSignal | undefined): Error {
  throwIfStopped(signal, what);
  const { code, message } = deepest(thrown);
  return new ModelError('MODEL_STREAM_CUT', `${what}: the answer broke off (${quoted(code ?? message, secrets)})`);
}
