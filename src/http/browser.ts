import { isIP } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';

/**
 * Why a request must not be answered: it comes from a web page of another origin, or was addressed by a name that such a page
 * may have had point at this machine (DNS rebinding). Undefined when it may be answered.
 *
 * A server on loopback is reachable for every page that is open in a browser of this machine, through `fetch`, `<script>`, `<img>`
 * and `<form>`. Browsers say where a request comes from; other clients send none of these headers.
 *
 * @param advertised - host name by which others reach the server. Default: it is reached by addresses and as localhost only
 */
export function foreignRequest(
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
  advertised?: string,
): string | undefined {
  const { host, origin, 'sec-fetch-site': site, 'user-agent': agent } = headers;
  if (!isLocalHost(host, socket.localAddress, advertised)) {
    return 'this port answers to localhost and to addresses of this machine only: the Host header names something else';
  }
  if (origin !== undefined && origin.toLowerCase() !== `${schemeOf(socket)}://${host?.toLowerCase()}`) {
    return 'this port does not answer web pages of another origin (Origin header)';
  }
  // `none`: typed into the address bar, or a bookmark.
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return 'this port does not answer requests that a web page of another site makes (Sec-Fetch-Site header)';
  }
  // Old browsers never say it, new ones do not over plain HTTP to names that may be another machine's (0.0.0.0, host.docker.internal).
  // A WebSocket is opened with the Origin alone, which was compared above.
  if (site === undefined && origin === undefined && agent !== undefined && /^\s*Mozilla\//i.test(agent)) {
    return 'this port does not answer browsers that do not say where a request comes from (Sec-Fetch-Site header); use a current one';
  }
  return undefined;
}

function schemeOf(socket: IncomingMessage['socket']): string {
  return (socket as Partial<TLSSocket>).encrypted === true ? 'https' : 'http';
}

/** Headers of every answer: a browser neither guesses its type, nor runs, frames or hands it to a page of another origin. */
export function setPrivateHeaders(response: ServerResponse): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox");
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  response.setHeader('Referrer-Policy', 'no-referrer');
}

/**
 * Whether `Host` names this machine: localhost (as containers call it, too), a loopback address, or the address that the connection came
 * in on, or is the name that the server is known by. HTTP/1.0 may leave it out; no browser does.
 */
function isLocalHost(host: string | undefined, localAddress: string | undefined, advertised: string | undefined): boolean {
  if (host === undefined) return true;
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
  if (name === advertised?.toLowerCase()) return true;
  if (isIP(name) === 0) return name === 'localhost' || name.endsWith('.localhost') || name === 'host.docker.internal';
  return name === '::1' || /^127\./.test(name) || name === localAddress?.replace(/^::ffff:/, '').toLowerCase();
}
