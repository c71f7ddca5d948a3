import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliCompress, createDeflate, createGzip, constants } from 'node:zlib';
import type { Printed } from '../sessions.ts';
import { asException, exceptionBlock } from './exception.ts';
import type { StatementRun } from './execute.ts';
import type { EngineFacts } from './facts.ts';
import type { Encoding, HttpQuery } from './request.ts';

/** Until this much of a result is there, the answer waits for its end: an error still gets its status then. */
const WAIT_BYTES = 1024 * 1024;

/** What an answer needs to know. */
export interface ResponseOptions {
  request: HttpQuery;
  facts: EngineFacts;
  /** Headers only. */
  head: boolean;
}

/**
 * Sends a result as it comes from the engine, no faster than the client takes it. Throws what the statement failed with while
 * nothing was sent; after that the error goes into the body and the connection is broken off, as servers do.
 */
export async function respond(
  response: ServerResponse,
  execution: StatementRun,
  { request, facts, head }: ResponseOptions,
): Promise<void> {
  const { done, file, format, writes } = execution;
  const startedAt = performance.now();
  let ended: Printed | undefined;
  let settled = false;
  void done.then(
    (printed) => {
      ended = printed;
      settled = true;
    },
    () => {
      settled = true;
    },
  );
  await file.reaches(request.waitForEnd || writes ? Infinity : WAIT_BYTES, done);
  const tag = randomBytes(8).toString('hex');
  // What it failed with is thrown here.
  if (settled) await done;
  const size = ended ? ((await file.size()) ?? 0) : undefined;
  const { encoding } = request;
  response.writeHead(200, {
    'Content-Type': contentType(facts, format),
    'X-ClickHouse-Format': format,
    'X-ClickHouse-Timezone': facts.timezone,
    'X-ClickHouse-Exception-Tag': tag,
    'X-ClickHouse-Summary': summary(ended, writes, performance.now() - startedAt),
    ...(encoding && { 'Content-Encoding': encoding, Vary: 'Accept-Encoding' }),
    ...(size !== undefined && !encoding && { 'Content-Length': size }),
  });
  if (head) return void response.end();
  let broken = false;
  const source = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* file.follow(done);
    } catch (error) {
      broken = true;
      yield Buffer.from(exceptionBlock(asException(error).text(facts.version), tag));
    }
  };
  const body = Readable.from(source(), { objectMode: false });
  if (encoding) await pipeline(body, packer(encoding), response, { end: false });
  else await pipeline(body, response, { end: false });
  // Without the last chunk, so that nobody takes it for all.
  if (broken) await breakOff(response);
  else await new Promise<void>((resolve) => response.end(resolve));
}

function contentType(facts: EngineFacts, format: string): string {
  return facts.formats.get(format) ?? 'text/plain; charset=UTF-8';
}

/** Rows and bytes that were read are not known: the engine tells about results and what was written only. */
function summary(printed: Printed | undefined, writes: boolean, ms: number): string {
  const [rows, bytes] = [String(printed?.rows ?? 0), String(printed?.rowBytes ?? 0)];
  return JSON.stringify({
    read_rows: writes ? rows : '0',
    read_bytes: writes ? bytes : '0',
    written_rows: writes ? rows : '0',
    written_bytes: writes ? bytes : '0',
    total_rows_to_read: '0',
    result_rows: rows,
    result_bytes: bytes,
    elapsed_ns: String(Math.round((printed ? printed.seconds * 1000 : ms) * 1e6)),
  });
}

function packer(encoding: Encoding): NodeJS.ReadWriteStream {
  // The fastest levels: the client is usually on this machine.
  if (encoding === 'gzip') return createGzip({ level: 1 });
  if (encoding === 'deflate') return createDeflate({ level: 1 });
  return createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
}

function breakOff(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve);
    const { socket } = response;
    if (socket) socket.end(() => response.destroy());
    else response.destroy();
  });
}
