import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { MillraceError } from '../../src/errors.ts';
import { errorBody, HTTP_STATUS } from './status.ts';

/** A path at which clients open WebSockets. */
export interface Upgrade {
  /** Exact, without a query. What it takes is in `HTTP_SCOPES` (src/access/required.ts). */
  readonly path: string;
  /** Takes over the connection of a request that was let in. Throws when it has no room for another. */
  accept(request: IncomingMessage, socket: Socket, head: Buffer): void;
  /** Ends all of its connections: the gateway stops. */
  close(): void;
}

/** Answers a request for a WebSocket that is not let in, and ends its connection. */
export function refuseUpgrade(socket: Socket, error: MillraceError): void {
  const body = `${JSON.stringify(errorBody(error))}\n`;
  const status = HTTP_STATUS[error.code];
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
