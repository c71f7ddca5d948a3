import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MillraceError } from '../errors.ts';
import { foreignRequest, setPrivateHeaders } from '../http/browser.ts';
import { hostPort, LOOPBACK, type Listening } from '../http/listening.ts';
import type { MetricsRegistry } from './metrics.ts';

/** What a process says of itself. */
export interface Health {
  ok: boolean;
  /** One word. */
  status: string;
  /** Why it is not OK. */
  reasons: readonly string[];
}

/** Answers of `/healthz` and `/readyz`. */
export interface HealthChecks {
  /** Whether the process need not be started again. */
  live(): Health;
  /** Whether it does its work. */
  ready(): Health;
}

/** Options of {@link serveMetrics}. */
export interface MetricsServerOptions {
  /** Default 0: a free one. */
  port?: number | undefined;
  /** Default: this machine only. */
  listening?: Listening | undefined;
  /** Default: none, `/healthz` and `/readyz` are not served. */
  health?: HealthChecks;
}

/** Metrics that can be scraped. */
export interface MetricsServer {
  /** `http://<advertised host>:<port>/metrics` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves a registry to Prometheus at `/metrics`, to no page of a browser, and to this machine only unless `listening` says otherwise; with it
 * `/healthz` and `/readyz`, which answer 200 or 503 and JSON with the reasons. `failed_precondition` when the port is taken.
 */
export async function serveMetrics(metrics: MetricsRegistry, options: MetricsServerOptions = {}): Promise<MetricsServer> {
  const { port = 0, listening = LOOPBACK, health } = options;
  const { bind, advertise } = listening;
  const server = createServer((request, response) => {
    setPrivateHeaders(response);
    const foreign = foreignRequest(request, advertise);
    if (foreign === undefined) serve(request, response, { metrics, health });
    else answer(response, 403, `Refused: ${foreign}.\n`);
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

/** A request that was let in. */
function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { metrics, health }: { metrics: MetricsRegistry; health: HealthChecks | undefined },
): void {
  const path = request.url?.split('?')[0];
  const checks: Readonly<Record<string, Health | undefined>> = { '/healthz': health?.live(), '/readyz': health?.ready() };
  const check = checks[path ?? ''];
  if (path !== '/metrics' && check === undefined) answer(response, 404, 'Metrics are at /metrics.\n');
  else if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'GET only.\n');
  else if (check) {
    const { ok, status, reasons } = check;
    answer(response, ok ? 200 : 503, `${JSON.stringify({ status, reasons })}\n`, 'application/json');
  } else {
    metrics.text().then(
      (text) => answer(response, 200, text, metrics.contentType),
      (error: unknown) => answer(response, 500, `${MillraceError.from(error).message}\n`),
    );
  }
}

function answer(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type });
  response.end(text);
}
