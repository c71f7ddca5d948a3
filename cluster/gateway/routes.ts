import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '../../src/access/authenticator.ts';
import type { SessionRecord } from '../../src/jobs/sessions/session.ts';
import type { MetricsRegistry } from '../../src/telemetry/metrics.ts';

/** A request that was let in. */
export interface GatewayRequest {
  readonly query: URLSearchParams;
  /** What the path says for the `{names}` of the route's. */
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  /** Empty for GET and DELETE: their bodies are not read. */
  readonly body: Buffer;
  /** Who calls; undefined where the route takes no credential. */
  readonly caller: Caller | undefined;
  /** The session of an agent that the caller's key opens, where the route takes one. */
  readonly session?: SessionRecord | undefined;
  /** Aborts when the client leaves, the time limit passes, or the gateway stops for good. */
  readonly signal: AbortSignal;
}

/**
 * What is sent back: `json`, `text`, or a `stream` as it comes; one that throws cuts the connection. `headers` are added to those of every
 * answer, or replace them.
 */
export type Reply = { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } & (
  | { readonly json: unknown }
  | { readonly text: string | Buffer; readonly contentType: string }
  | { readonly stream: AsyncIterable<string>; readonly contentType: string }
);

/** One thing that the gateway answers. A GET route answers HEAD as well. What it takes is in `HTTP_SCOPES` (src/access/required.ts). */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Without a query. A segment `{name}` stands for any text, which is a parameter. */
  readonly path: string;
  /** Bytes of a body, at most. Default: the gateway's limit. */
  readonly bodyBytes?: number;
  /** Milliseconds to its answer's end, at most. Default: the gateway's limit. */
  readonly timeMs?: number;
  /** Errors reach the client by their code. */
  handle(request: GatewayRequest): Reply | Promise<Reply>;
}

/** What {@link standardRoutes} answer from. */
export interface Standing {
  metrics: Pick<MetricsRegistry, 'text' | 'contentType'>;
  /** Rejects while the cluster behind the gateway cannot serve clients. */
  checkReady(this: void): Promise<void>;
}

/** What every gateway answers: `/healthz` (its process lives), `/metrics`, and `/readyz` (the cluster can be asked). */
export function standardRoutes({ metrics, checkReady }: Standing): Route[] {
  return [
    { method: 'GET', path: '/healthz', handle: () => ({ json: { status: 'ok' } }) },
    {
      method: 'GET',
      path: '/metrics',
      handle: async () => ({ text: await metrics.text(), contentType: metrics.contentType }),
    },
    {
      method: 'GET',
      path: '/readyz',
      async handle() {
        await checkReady();
        return { json: { status: 'ready' } };
      },
    },
  ];
}
