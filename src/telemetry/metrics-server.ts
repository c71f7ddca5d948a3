import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MillraceError } from '../errors.ts';
import { foreignRequest, setPrivateHeaders } from '../http/browser.ts';
import type { MetricsRegistry } from './metrics.ts';

/** Metrics that can be scraped. */
export interface MetricsServer {
  /** `http://127.0.0.1:<port>/metrics` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves a registry to Prometheus at `/metrics`, to this machine only and to no page of a browser. `port` 0 is a free one; `failed_precondition` when it
 * is taken.
 */
export async function serveMetrics(metrics: MetricsRegistry, port = 0): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    setPrivateHeaders(response);
    const path = request.url?.split('?')[0];
    const foreign = foreignRequest(request);
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
        new MillraceError('failed_precondition', `Metrics cannot be served on port ${port} (${error.message}); choose another.`, {
          cause: error,
          field: 'metricsPort',
        }),
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  // A scrape must not keep a process that has ended its work.
  server.unref();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
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
