import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { MillraceError } from '../../src/errors.ts';
import type { Scope } from './scopes.ts';
import { errorBody, HTTP_STATUS } from './status.ts';

/** A path at which clients open WebSockets. */
export interface Upgrade {
  /** Exact, without a query. */
  readonly path: string;
  /** What it takes. */
  readonly scope: Scope;
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
