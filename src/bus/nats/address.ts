import { MillraceError } from '../../errors.ts';

/** A server's address apart from the credentials that may stand in it. */
export interface NatsAddress {
  /** Without credentials, for the client and for messages. */
  server: string;
  user?: string;
  password?: string;
  token?: string;
}

/** Takes `nats://user:password@host:port`, or `nats://token@host:port`, apart: the client ignores what stands before the `@`. */
export function natsAddress(text: string): NatsAddress {
  const at = text.lastIndexOf('@');
  if (at < 0) return { server: text };
  const scheme = /^\w+:\/\//.exec(text)?.[0] ?? '';
  const [user = '', ...password] = text.slice(scheme.length, at).split(':');
  const server = `${scheme}${text.slice(at + 1)}`;
  try {
    if (password.length === 0) return { server, token: decodeURIComponent(user) };
    return { server, user: decodeURIComponent(user), password: decodeURIComponent(password.join(':')) };
  } catch (cause) {
    throw new MillraceError('invalid_argument', `the credentials in the address of ${server} are no valid URL text (%-escapes)`, {
      cause,
    });
  }
}

/** {@link natsAddress} of each: texts, each of one address or of several with commas between them. At least one. */
export function natsAddresses(texts: string | readonly string[]): NatsAddress[] {
  return [texts].flat().flatMap(splitAddresses).map(natsAddress);
}

/** Addresses with commas between them, one by one. A comma before an `@` belongs to a password. */
export function splitAddresses(text: string): string[] {
  return text.split(/,(?=\s*\w+:\/\/|[^@]*$)/).map((each) => each.trim());
}
