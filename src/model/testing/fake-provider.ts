import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../clock/system.ts';
import { anthropicDialect } from './anthropic-dialect.ts';
import { bedrockDialect } from './bedrock-dialect.ts';
import type { Dialect } from './dialect.ts';
import { openAiDialect } from './openai-dialect.ts';
import { cutOf, lastText, replyTo, type Script, type ScriptedCall, type ScriptedReply } from './script.ts';

/** A provider on this machine. */
export interface FakeProvider {
  /** Its address, without `/v1`: `http://127.0.0.1:41234`. */
  readonly url: string;
  /** The calls so far, in the order in which they were read. */
  readonly calls: readonly ScriptedCall[];
  /** Calls that are being answered. */
  readonly open: number;
  /** Answers all calls from now on by this script, from its beginning. */
  setScript(script: Script): void;
  /** Breaks open connections off, and ends. */
  close(): Promise<void>;
}

/** Options of {@link startFakeProvider}. */
export interface FakeProviderOptions {
  /** Default: an empty answer to every call. */
  script?: Script;
  /** Calls need this key, as `Authorization: Bearer …`, `x-api-key` or `api-key`; others get 401. Default: none is needed. */
  apiKey?: string;
  /** Port on 127.0.0.1. Default: a free one. */
  port?: number;
}

const DIALECTS: readonly Dialect[] = [openAiDialect, anthropicDialect, bedrockDialect];

/**
 * A scripted provider of language models over HTTP on 127.0.0.1, for tests: `/v1/chat/completions` of OpenAI, streamed and not, and
 * `/v1/models`. It is slow, refuses, answers what cannot be read and breaks off where its script says so. Requests that a provider would not
 * take get 400.
 */
export async function startFakeProvider(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  let script: Script = options.script ?? [];
  let first = 0;
  let open = 0;
  const calls: ScriptedCall[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').replace(/\?.*$/, '');
    if (!isAllowed(request, options.apiKey)) return json(response, 401, errorBody(401, `Incorrect API key: ${keyOf(request)}`));
    if (request.method === 'GET' && path.endsWith('/models')) return json(response, 200, MODELS);
    const dialect = DIALECTS.find((each) => each.matches(path));
    if (dialect === undefined || request.method !== 'POST')
      return json(response, 404, errorBody(404, `there is no ${request.method} ${path}`));
    const asked = await read(request, dialect, path);
    if ('problem' in asked) return json(response, 400, dialect.error(400, asked.problem));
    const call: ScriptedCall = { ...asked, index: calls.length - first, text: lastText(asked.request), headers: request.headers };
    calls.push(call);
    await reply(await replyTo(script, call), { response, dialect, call });
  };
  const server = createServer((request, response) => {
    open += 1;
    response.on('close', () => (open -= 1));
    answer(request, response).catch((thrown: unknown) => {
      // Breaking off is all that is left once an answer has begun.
      if (response.headersSent || response.destroyed) response.destroy();
      else json(response, 500, errorBody(500, `the script failed: ${String(thrown)}`));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    get open() {
      return open;
    },
    setScript(next) {
      script = next;
      first = calls.length;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

const MODELS = { object: 'list', data: [{ id: 'scripted', object: 'model', created: 1_700_000_000, owned_by: 'millrace' }] };

function keyOf({ headers }: IncomingMessage): string {
  return String(headers.authorization?.replace(/^Bearer /, '') ?? headers['x-api-key'] ?? headers['api-key'] ?? '');
}

function isAllowed(request: IncomingMessage, apiKey: string | undefined): boolean {
  return apiKey === undefined || keyOf(request) === apiKey;
}

function errorBody(status: number, message: string): unknown {
  return openAiDialect.error(status, message);
}

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

async function read(
  request: IncomingMessage,
  dialect: Dialect,
  path: string,
): Promise<ReturnType<Dialect['read']> | { problem: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  try {
    return dialect.read(JSON.parse(Buffer.concat(chunks).toString()) as unknown, path);
  } catch (thrown) {
    return { problem: `the request is wrong: ${(thrown as Error).message}` };
  }
}

/** What a reply is written with. */
interface Answering {
  response: ServerResponse;
  dialect: Dialect;
  call: ScriptedCall;
}

async function reply(scripted: ScriptedReply, { response, dialect, call }: Answering): Promise<void> {
  const { fault, latencyMs = 0 } = scripted;
  await pause(response, latencyMs);
  if (fault === 'hang') return;
  if (fault === 'closed') return void response.destroy();
  if (typeof fault === 'object' && 'status' in fault) {
    const { status, retryAfter, message = 'as the script says' } = fault;
    return json(response, status, dialect.error(status, message), retryAfter === undefined ? {} : { 'retry-after': retryAfter });
  }
  if (call.stream) return streamReply(scripted, { response, dialect, call });
  const text = JSON.stringify(dialect.answer(scripted, call));
  response.writeHead(200, { 'content-type': 'application/json' });
  if (fault === undefined) return void response.end(text);
  if (fault === 'malformed') return void response.end(`<html>${text.slice(0, 20)}`);
  response.write(text.slice(0, text.length / 2), () => response.destroy());
}

async function streamReply(scripted: ScriptedReply, { response, dialect, call }: Answering): Promise<void> {
  const { fault, pieceMs = 0 } = scripted;
  response.writeHead(200, { 'content-type': dialect.streamType ?? 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
  const events = [...dialect.events(scripted, call)];
  const pieces = events.filter(({ isPiece }) => isPiece).length;
  const cutAt = Math.min(cutOf(fault), fault === undefined || fault === 'malformed' ? Infinity : pieces);
  let sent = 0;
  for (const { data, isPiece } of events) {
    if (sent >= cutAt && (isPiece || sent === pieces)) return void response.write('', () => response.destroy());
    if (isPiece) await pause(response, pieceMs);
    if (response.destroyed) return;
    if (!response.write(data)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
    if (isPiece) sent += 1;
    if (fault === 'malformed' && sent > 0) response.write(dialect.malformedEvent);
  }
  response.end();
}

/** Waits, or until the caller has left. */
async function pause(response: ServerResponse, ms: number): Promise<void> {
  if (ms <= 0) return;
  const left = new AbortController();
  const leave = (): void => left.abort();
  response.once('close', leave);
  await systemClock.sleep(ms, left.signal).catch(() => undefined);
  response.off('close', leave);
}
