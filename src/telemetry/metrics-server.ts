import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MillraceError } from '../errors.ts';
import { foreignRequest, setPrivateHeaders } from '../http/browser.ts';
import { hostPort, LOOPBACK, type Listening } from '../http/listening.ts';
import type { MetricsRegistry } from './metrics.ts';

/** Metrics that can be scraped. */
export interface MetricsServer {
  /** `http://<advertised host>:<port>/metrics` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves a registry to Prometheus at `/metrics`, to no page of a browser, and to this machine only unless `listening` says otherwise. `port` 0 is
 * a free one; `failed_precondition` when it is taken.
 */
export async function serveMetrics(
  metrics: MetricsRegistry,
  port = 0,
  { bind, advertise }: Listening = LOOPBACK,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    setPrivateHeaders(response);
    const path = request.url?.split('?')[0];
    const foreign = foreignRequest(request, advertise);
    if (foreign !== undefined) answer(response, 403, `Refused: ${foreign}.\n`);
    else if (path !== '/metrics') answer(response, 404, 'Metrics are at /metrics.\n');
    else if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'GET only.\n');
    else {
      metrics.text().then(
        (text) => answer(response, 200, text, metrics.contentType),
        (error: unknown) => answer(response, 500, `${MillraceError.from(error).message}\n`),
      );
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new MillraceError(
          'failed_precondition',
          `Metrics cannot be served on ${hostPort(bind, port)} (${error.message}); choose another port.`,
          {
            cause: error,
            field: 'metricsPort',
          },
        ),
      );
    });
    server.listen(port, bind, resolve);
  });
  // A scrape must not keep a process that has ended its work.
  server.unref();
  return {
    url: `http://${hostPort(advertise, (server.address() as AddressInfo).port)}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type });
  response.end(text);
}
