import { createServer as createHttpServer, request as send } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Options of {@link openFront}. */
export interface FrontOptions {
  /** PEM texts: the front speaks TLS with them. */
  tls?: { cert: Buffer; key: Buffer; ca?: Buffer; requestCert?: boolean; rejectUnauthorized?: boolean };
}

/** What came through: names of URL parameters and headers as sent, and the client certificate's name. */
export interface Seen {
  query: string;
  parameters: URLSearchParams;
  headers: IncomingMessage['headers'];
  certificate: string | undefined;
}

/** A proxy before a port, as people put before one: with TLS, and with connections that break. */
export interface Front {
  url: string;
  seen: Seen[];
  /** Requests from now on whose connection is reset instead of an answer. */
  breakNext(count: number): void;
  close(): Promise<void>;
}

/** Opens a front before `target`. */
export async function openFront(target: string, { tls }: FrontOptions = {}): Promise<Front> {
  const seen: Seen[] = [];
  let breaks = 0;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const socket = request.socket as TLSSocket;
    const certificate = tls?.requestCert ? socket.getPeerCertificate().subject?.CN : undefined;
    seen.push({
      query: searchParams.get('query') ?? '',
      parameters: searchParams,
      headers: request.headers,
      certificate: certificate?.toString(),
    });
    if (breaks > 0) {
      breaks -= 1;
      socket.resetAndDestroy();
      return;
    }
    const { method, headers, url } = request;
    const onward = send(new URL(url ?? '/', target), { method: method!, headers, agent: false }, (answered) => {
      response.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  };
  const server: Server = tls ? createHttpsServer(tls, answer) : createHttpServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://localhost:${port}`.replace('localhost', '127.0.0.1'),
    seen,
    breakNext: (count) => void (breaks = count),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
