import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { MillraceError } from '../../src/errors.ts';

/** How long the gateway may take to answer, in milliseconds. */
const PATIENCE_MS = 10_000;

/** Where a gateway is, and what lets its caller in. */
export interface GatewayAccess {
  url: string;
  /** Of scope `write`: the page may do what it may. */
  token: string;
  /** File of the authority that its certificate is of, where it has TLS. */
  caFile?: string | undefined;
}

/**
 * A URL that opens the workbench of a gateway in a browser. It can be used once, within ten minutes.
 *
 * @throws MillraceError `unavailable` when the gateway does not answer, `permission_denied` for a token that it does not take.
 */
export async function workbenchUrl({ url, token, caFile }: GatewayAccess): Promise<string> {
  const ticket = await askForTicket(url, token, caFile === undefined ? undefined : readFileSync(caFile));
  return `${url}/#/login/${ticket}`;
}

function askForTicket(url: string, token: string, ca: Buffer | undefined): Promise<string> {
  const unavailable = (cause: Error): MillraceError =>
    new MillraceError('unavailable', `The gateway at ${url} does not answer: ${cause.message}.`, { cause });
  return new Promise((resolve, reject) => {
    const request = ca === undefined ? httpRequest : httpsRequest;
    const options = { method: 'POST', headers: { Authorization: `Bearer ${token}` }, timeout: PATIENCE_MS, ...(ca && { ca }) };
    const sent = request(`${url}/login/ticket`, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('error', (error) => reject(unavailable(error)));
      response.on('end', () => {
        const ticket = response.statusCode === 200 ? ticketOf(text) : undefined;
        if (ticket !== undefined) return resolve(ticket);
        const why = `The gateway at ${url} gives no login link (HTTP ${response.statusCode}): ${text.slice(0, 300).trim()}`;
        reject(new MillraceError('permission_denied', why));
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${PATIENCE_MS / 1000} s`)));
    sent.on('error', (error) => reject(unavailable(error)));
    sent.end();
  });
}

function ticketOf(text: string): string | undefined {
  try {
    const { ticket } = JSON.parse(text) as { ticket?: unknown };
    return typeof ticket === 'string' ? ticket : undefined;
  } catch {
    return undefined;
  }
}
