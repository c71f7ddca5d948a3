import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { exception } from './exception.ts';
import { readMultipart } from './multipart.ts';
import { isRequestParameter } from './settings.ts';

/** A request for a query, taken apart. The body is read only as far as it had to be. */
export interface HttpQuery {
  /** What was in the URL, and where nothing was the body's beginning: a statement, perhaps with data behind it. */
  head: Buffer;
  /** What comes after `head`: data of an INSERT, or more of the statement. */
  rest: AsyncIterable<Buffer>;
  queryId: string;
  database: string | undefined;
  defaultFormat: string | undefined;
  /** Of {name:Type} placeholders, in ClickHouse's escaped form. */
  parameters: Record<string, string>;
  settings: [string, string][];
  /** Revision of the protocol that the client would read Native in; 0 without one. */
  revision: number;
  /** Answer only when all is known, so that the status and the summary are right. */
  waitForEnd: boolean;
  /** How the body of the answer is packed. */
  encoding: Encoding | undefined;
}

/** What an answer can be packed with. */
export type Encoding = 'gzip' | 'deflate' | 'br';

/** A statement longer than this has to be something else. */
const MAX_STATEMENT_BYTES = 1024 * 1024;

/** Who a request says it comes from, in its headers or its URL: known before a byte of its body is read. */
export function readCredentials(request: IncomingMessage, url: URL): { user: string; password: string } {
  const header = headersOf(request);
  const [scheme, encoded = ''] = (header('authorization') ?? '').split(' ');
  if (scheme?.toLowerCase() === 'basic') {
    const [user = '', ...password] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
    return { user: user || 'default', password: password.join(':') };
  }
  if (scheme) throw exception('AUTHENTICATION_FAILED', 'Authentication failed: only Basic authentication is supported.');
  return {
    user: header('x-clickhouse-user') ?? (url.searchParams.get('user') || 'default'),
    password: header('x-clickhouse-key') ?? url.searchParams.get('password') ?? '',
  };
}

function headersOf(request: IncomingMessage): (name: string) => string | undefined {
  return (name) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
}

/** Takes a request apart. Throws ClickHouse exceptions. */
export async function readRequest(request: IncomingMessage, url: URL, maxBodyBytes: number): Promise<HttpQuery> {
  const found = url.searchParams;
  refusePacking(found);
  let body = limited(unpacked(request), maxBodyBytes);
  const contentType = request.headers['content-type'] ?? '';
  const fields = new URLSearchParams(found);
  if (contentType.startsWith('multipart/form-data')) {
    for (const [name, value] of await readMultipart(body, contentType)) fields.append(name, value);
    body = nothing();
  }
  const query = fields.get('query') ?? '';
  const { head, rest } = query === '' ? await firstPart(body) : { head: Buffer.from(query), rest: body };
  const header = headersOf(request);
  const entries = [...fields];
  return {
    head,
    rest,
    queryId: fields.get('query_id') || header('x-clickhouse-query-id') || randomUUID(),
    database: fields.get('database') || header('x-clickhouse-database') || undefined,
    defaultFormat: fields.get('default_format') || header('x-clickhouse-format') || undefined,
    parameters: Object.fromEntries(
      entries.filter(([name]) => name.startsWith('param_')).map(([name, value]) => [name.slice('param_'.length), value]),
    ),
    settings: entries.filter(([name]) => !isRequestParameter(name)),
    revision: Number(fields.get('client_protocol_version')) || 0,
    waitForEnd: isOn(fields.get('wait_end_of_query')),
    encoding: wantedEncoding(header('accept-encoding') ?? '', fields.get('enable_http_compression')),
  };
}

/** ClickHouse's own framing of compressed blocks: nothing speaks it that does not speak HTTP's as well. */
function refusePacking(fields: URLSearchParams): void {
  for (const name of ['compress', 'decompress']) {
    if (isOn(fields.get(name))) {
      throw exception(
        'NOT_IMPLEMENTED',
        `${name}=1 (ClickHouse's own compression) is not supported; use gzip with Content-Encoding and Accept-Encoding.`,
      );
    }
  }
}

function wantedEncoding(accepted: string, enabled: string | null): Encoding | undefined {
  if (enabled !== null && !isOn(enabled)) return undefined;
  const offers = accepted
    .toLowerCase()
    .split(',')
    .filter((offer) => !/;\s*q=0(?:\.0*)?\s*$/.test(offer))
    .map((offer) => offer.split(';')[0]!.trim());
  return (['gzip', 'deflate', 'br'] as const).find((name) => offers.includes(name));
}

function unpacked(request: IncomingMessage): AsyncIterable<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding === 'identity' || encoding === '') return request as AsyncIterable<Buffer>;
  const unpackers: Record<string, () => NodeJS.ReadWriteStream & Readable> = {
    gzip: createGunzip,
    deflate: createInflate,
    br: createBrotliDecompress,
  };
  const make = unpackers[encoding];
  if (!make)
    throw exception('NOT_IMPLEMENTED', `Content-Encoding ${encoding.slice(0, 40)} is not supported; use gzip, deflate or br.`);
  const unpacker = make();
  // It may break before anybody reads it; whoever does is told then.
  unpacker.on('error', () => {});
  request.on('error', (error) => unpacker.destroy(error));
  request.on('aborted', () => unpacker.destroy(new Error('aborted')));
  request.pipe(unpacker);
  return readPacked(unpacker, encoding);
}

async function* readPacked(stream: Readable, encoding: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw exception('ZLIB_INFLATE_FAILED', `The body is no ${encoding}: ${(error as Error).message}.`);
  }
}

async function* limited(body: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer, void, undefined> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw exception('TOO_MANY_BYTES', `The body is larger than ${maxBytes} bytes; send it in parts.`);
    }
    yield chunk;
  }
}

/** The beginning of a body that holds the statement, and what is left of it. */
async function firstPart(body: AsyncIterable<Buffer>): Promise<{ head: Buffer; rest: AsyncIterable<Buffer> }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const iterator = body[Symbol.asyncIterator]();
  while (bytes <= MAX_STATEMENT_BYTES) {
    const next = await iterator.next();
    if (next.done) return { head: Buffer.concat(chunks), rest: nothing() };
    chunks.push(next.value);
    bytes += next.value.length;
  }
  const rest = async function* (): AsyncGenerator<Buffer> {
    for (;;) {
      const next = await iterator.next();
      if (next.done) return;
      yield next.value;
    }
  };
  return { head: Buffer.concat(chunks), rest: rest() };
}

/** All of a body that is part of a statement. */
export async function statementText(request: HttpQuery): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = request.head.length;
  for await (const chunk of request.rest) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_STATEMENT_BYTES) break;
  }
  if (bytes > MAX_STATEMENT_BYTES)
    throw exception('SYNTAX_ERROR', `Max query size exceeded: a statement may have ${MAX_STATEMENT_BYTES} bytes.`);
  const [head, more] = [request.head.toString('utf8'), Buffer.concat(chunks).toString('utf8')];
  return more === '' ? head : `${head}\n${more}`;
}

async function* nothing(): AsyncGenerator<Buffer, void, undefined> {}

/** How ClickHouse's flags are written. */
const isOn = (value: string | null): boolean =>
  value !== null && value !== '' && value !== '0' && value.toLowerCase() !== 'false';
