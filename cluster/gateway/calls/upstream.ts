import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { MillraceError } from '../../../src/errors.ts';
import type { Upstream } from './providers.ts';

/** Longest response that is read, in bytes: what is longer is a mistake of the upstream, and must not fill the memory. */
const MOST_BYTES = 32 * 1024 * 1024;

/** What is asked of an upstream. */
export interface UpstreamRequest {
  method: 'GET' | 'POST';
  /** Below the provider's address: `/chat/completions`. */
  path: string;
  body?: string;
  signal: AbortSignal;
}

/** Requests to upstreams, over connections that are kept. Redirects are not followed: they would carry the key elsewhere. */
export class UpstreamClient {
  readonly #http = new HttpAgent({ keepAlive: true });
  readonly #https = new HttpsAgent({ keepAlive: true });

  /**
   * The head of the response; its body is read as it is iterated. Rejects with `unavailable` where there is no connection, and with the
   * signal's reason.
   */
  async send(to: Pick<Upstream, 'provider' | 'url' | 'key'>, request: UpstreamRequest): Promise<IncomingMessage> {
    try {
      return await this.#once(to, request);
    } catch (thrown) {
      if (!(thrown instanceof StaleConnection)) throw thrown;
      // The upstream had closed a kept connection before anything was answered on it.
      return this.#once(to, request);
    }
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #once(
    { provider, url, key }: Pick<Upstream, 'provider' | 'url' | 'key'>,
    { method, path, body, signal }: UpstreamRequest,
  ): Promise<IncomingMessage> {
    const target = new URL(`${url}${path}`);
    const secure = target.protocol === 'https:';
    const headers = {
      accept: 'application/json, text/event-stream',
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    };
    const options = { method, headers, signal, agent: secure ? this.#https : this.#http };
    return new Promise((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)(target, options, resolve);
      request.on('error', (cause: NodeJS.ErrnoException) => {
        if (signal.aborted) return reject(MillraceError.from(signal.reason));
        if (request.reusedSocket && cause.code === 'ECONNRESET') return reject(new StaleConnection());
        const what = `Provider ${provider} cannot be reached (${cause.code ?? 'no connection'}).`;
        reject(new MillraceError('unavailable', what, { cause, reason: 'UPSTREAM_UNREACHABLE' }));
      });
      request.end(body);
    });
  }
}

class StaleConnection extends Error {}

/** The whole body. `unavailable` where it breaks off or is longer than a response may be. */
export async function wholeBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BYTES)
      throw new MillraceError('unavailable', `The response of the upstream is longer than ${MOST_BYTES} bytes.`);
    chunks.push(chunk);
  }
  if (!response.complete) throw new MillraceError('unavailable', 'The response of the upstream broke off.');
  return Buffer.concat(chunks);
}
