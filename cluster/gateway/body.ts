import type { IncomingMessage } from 'node:http';
import { MillraceError } from '../../src/errors.ts';

/** A body over the limit; answered with status 413, and the connection is closed: the rest is not read. */
export class BodyTooLarge extends MillraceError {
  constructor(limit: number) {
    super('invalid_argument', `The body is larger than ${limit} bytes.`, { field: 'body' });
  }
}

/** Reads a request's body of at most `limit` bytes. Rejects when the client leaves. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw new BodyTooLarge(limit);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new BodyTooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
