import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reply } from './routes.ts';

/** How a reply is sent. */
export interface SendOptions {
  status: number;
  /** The connection takes no request after this one. */
  close: boolean;
}

/** Writes a reply. Rejects where its stream throws: the connection is then cut, so that the client does not take it for the end. */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  { status, close }: SendOptions,
): Promise<void> {
  // What is left of a body would be taken for the next request.
  if (response.writable && (close || !request.complete)) response.setHeader('Connection', 'close');
  if ('stream' in reply) return sendStream(response, reply, status);
  if (!response.writable) return;
  const [text, type] =
    'text' in reply ? [reply.text, reply.contentType] : [`${JSON.stringify(reply.json)}\n`, 'application/json'];
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text), ...reply.headers });
  response.end(request.method === 'HEAD' ? undefined : text);
}

/** As fast as the client takes it. A stream is read also where the client has left: it sees to what has to be written down. */
async function sendStream(
  response: ServerResponse,
  { stream, contentType, headers }: Extract<Reply, { stream: unknown }>,
  status: number,
): Promise<void> {
  if (response.writable) {
    response.writeHead(status, { 'Content-Type': contentType, ...headers });
    response.flushHeaders();
  }
  try {
    for await (const chunk of stream) {
      if (!response.writable) break;
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  } catch (thrown) {
    cut(response);
    throw thrown;
  }
}

const CUT_WITHIN_MS = 5_000;

/** Breaks off when what was written has gone out, which may say why, or after 5 s. */
function cut(response: ServerResponse): void {
  if (!response.writable) return void response.destroy();
  const late = setTimeout(() => response.destroy(), CUT_WITHIN_MS);
  response.once('close', () => clearTimeout(late));
  response.write('\n', () => response.destroy());
}

/** Until there is room again, or nobody reads any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
