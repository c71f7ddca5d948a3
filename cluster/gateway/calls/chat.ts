import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../../src/clock/clock.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { PriceTable } from '../../../src/budget/prices.ts';
import type { Random } from '../../../src/random/random.ts';
import type { GatewayRequest, Reply, Route } from '../routes.ts';
import { objectOf, type Loose } from './chat-response.ts';
import { chatStream } from './chat-stream.ts';
import { readChatRequest, upstreamBody } from './chat-request.ts';
import { newCallId } from './call-id.ts';
import type { Journal } from './journal.ts';
import type { Providers, Upstream } from './providers.ts';
import { RecordedCall } from './recorded-call.ts';
import { MessageMemory } from './shared-messages.ts';
import { wholeBody, type UpstreamClient } from './upstream.ts';

/** What calls are answered with. */
export interface CallContext {
  clock: Pick<Clock, 'now' | 'monotonic'>;
  random: Random;
  providers: Providers;
  upstreams: UpstreamClient;
  journal: Journal;
  prices: () => Promise<PriceTable>;
}

/** Bytes of a request: conversations with images. */
const BODY_BYTES = 16 * 1024 * 1024;
const MOST_MS = 10 * 60_000;
const MOST_ERROR = 2_000;

/** `POST /v1/chat/completions`, in one piece and as a stream. */
export function chatRoute(context: CallContext): Route {
  const memory = new MessageMemory();
  return {
    ...{ method: 'POST', path: '/v1/chat/completions', bodyBytes: BODY_BYTES, timeMs: MOST_MS },
    async handle({ body, session, signal }: GatewayRequest): Promise<Reply> {
      const request = readChatRequest(body);
      const upstream = context.providers.resolve(request.model);
      const id = newCallId(context);
      const { remember, ...shared } = memory.compare(session!.id, id, request.messages);
      const call = await RecordedCall.begin({ id, session: session!, request, upstream, shared }, context);
      remember();
      const clean = cleaner(upstream);
      try {
        const path = '/chat/completions';
        const sent = { method: 'POST' as const, path, body: upstreamBody(request, upstream.model), signal };
        const response = await context.upstreams.send(upstream, sent);
        const isStream = /^text\/event-stream\b/.test(response.headers['content-type'] ?? '');
        const headers = { 'X-Request-Id': id };
        if (response.statusCode === 200 && request.stream && isStream)
          return {
            stream: chatStream({ upstream: response, request, call, signal, clean }),
            contentType: 'text/event-stream',
            headers,
          };
        const reply = await inOnePiece(response, { call, clean, upstream });
        return { ...reply, headers: { ...reply.headers, ...headers } };
      } catch (thrown) {
        const error = MillraceError.from(signal.aborted ? signal.reason : thrown);
        const status = signal.aborted ? 'cut' : 'failed';
        await call.end({ status, httpStatus: 0, error: error.message });
        throw error;
      }
    },
  };
}

/** A response that is no stream: in the journal, then to the client. */
async function inOnePiece(
  response: IncomingMessage,
  { call, clean, upstream }: { call: RecordedCall; clean: (text: string) => string; upstream: Upstream },
): Promise<Extract<Reply, { text: unknown }>> {
  response.once('readable', () => call.onFirstByte());
  const text = clean((await wholeBody(response)).toString());
  const httpStatus = response.statusCode ?? 0;
  const json = jsonOf(text);
  if (httpStatus === 200 && Array.isArray(json?.['choices'])) {
    await call.end({ status: 'completed', httpStatus, response: json });
    return { text, contentType: 'application/json' };
  }
  const said = objectOf(json?.['error'])['message'];
  const error = typeof said === 'string' ? said : `HTTP ${httpStatus}`;
  await call.end({ status: 'failed', httpStatus, text: text.slice(0, MOST_ERROR), error });
  // Its own words and status for what is the client's to mend; a key that is refused is the gateway's.
  const isClients = json !== undefined && httpStatus >= 400 && httpStatus !== 401 && httpStatus !== 403;
  if (isClients) return { status: httpStatus, text, contentType: 'application/json', headers: retryAfter(response) };
  const what = httpStatus === 401 || httpStatus === 403 ? 'refuses the key of the gateway' : 'gave no answer that can be read';
  throw new MillraceError('unavailable', `Provider ${upstream.provider} ${what} (HTTP ${httpStatus}).`, {
    reason: 'UPSTREAM_FAILED',
  });
}

function retryAfter({ headers }: IncomingMessage): Record<string, string> {
  const after = headers['retry-after'];
  return after === undefined ? {} : { 'Retry-After': after };
}

function jsonOf(text: string): Loose | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Loose) : undefined;
  } catch {
    return undefined;
  }
}

/** Some providers repeat the key in their errors. */
function cleaner({ key }: Upstream): (text: string) => string {
  return (text) => (key === undefined ? text : text.replaceAll(key, '***'));
}
