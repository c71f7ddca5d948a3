import type { Clock } from '../../clock/clock.ts';
import { MillraceError } from '../../errors.ts';

/** Where requests for one model go. */
export interface Endpoint {
  /** For messages: `model 'small' at http://127.0.0.1:8000/v1`. */
  readonly what: string;
  /** Without a slash at its end. */
  readonly url: string;
  /** Of every request, credentials included. */
  readonly headers: Readonly<Record<string, string>>;
  /** What must be in no message: values of credentials. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
}

/** What an endpoint is made from. */
export interface EndpointOptions {
  model: string;
  url: string;
  headers: Readonly<Record<string, string>>;
  secrets: readonly (string | undefined)[];
  clock: Clock;
}

/** @throws MillraceError `invalid_argument` (field `url`) where it is no address of HTTP, or has credentials in it */
export function endpointOf({ model, url, headers, secrets, clock }: EndpointOptions): Endpoint {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const problem =
    parsed === undefined || !/^https?:$/.test(parsed.protocol)
      ? `got ${JSON.stringify(url)}, expected http://… or https://…`
      : parsed.username !== '' || parsed.password !== ''
        ? 'credentials must not be part of the address: give the key by itself'
        : undefined;
  if (problem !== undefined) throw new MillraceError('invalid_argument', `url of model '${model}': ${problem}`, { field: 'url' });
  const clean = url.replace(/[?#].*$/, '').replace(/\/+$/, '');
  return {
    what: `model '${model}' at ${clean}`,
    url: clean,
    headers: { 'content-type': 'application/json', ...headers },
    secrets: secrets.filter((secret): secret is string => secret !== undefined && secret !== ''),
    clock,
  };
}

/** A text of a provider for a message: in one line, short, and without credentials, which some providers repeat. */
export function quoted(text: string, secrets: readonly string[]): string {
  const clean = secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text);
  const line = clean.replace(/\s+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
