import type { IncomingMessage, ServerResponse } from 'node:http';
import { MillraceError } from '../../src/errors.ts';

/** A body over the limit; answered with status 413, and the connection is closed: the rest is not read. */
export class BodyTooLarge extends MillraceError {
  constructor(limit: number) {
    super('invalid_argument', `The body is larger than ${limit} bytes.`, { field: 'body' });
  }
}

/**
 * Reads a request's body of at most `limit` bytes; a client that waits to be asked for it (`Expect: 100-continue`) is. Rejects with
 * `cancelled` when the client leaves.
 */
export async function readBody(request: IncomingMessage, response: ServerResponse, limit: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw new BodyTooLarge(limit);
  if (request.headers.expect !== undefined) response.writeContinue();
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw new BodyTooLarge(limit);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof BodyTooLarge) throw cause;
    throw new MillraceError('cancelled', 'The client left before the body ended.', { cause });
  }
  return Buffer.concat(chunks);
}
