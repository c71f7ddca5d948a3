import { hostname } from 'node:os';
import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import type { Listening } from '../http/listening.ts';

const host = (what: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9:][A-Za-z0-9.:_-]*$/, 'expected a host name or an IP address, without a port')
    .describe(what);
const port = (what: string) => z.int().min(0).max(65_535).default(0).describe(`port of ${what}; 0 = any free port`);

/** Where the nodes that `millrace node run` starts listen, and how others reach them. */
export const networkSchema = z.strictObject({
  bind: host('address on which a node of millrace node run listens; millrace up always takes 127.0.0.1').default('127.0.0.1'),
  advertise: host(
    'host name or address under which other hosts reach this one; bind when absent, or the name of the host if bind is 0.0.0.0 or ::',
  ).optional(),
  grpcPort: port('the gRPC services of a node (admin API, parameter server, store)'),
  httpPort: port('/healthz, /readyz and /metrics of a node'),
  insecure: z
    .boolean()
    .default(false)
    .describe('listen on other addresses than loopback without TLS: tokens and data then cross the network in clear'),
});

/** Settings of section `network`. */
export type NetworkConfig = z.infer<typeof networkSchema>;

/**
 * Where a node listens and what it is called. `invalid_argument` for other addresses than loopback without TLS, unless `insecure` says so.
 *
 * @param tls - whether servers have certificates. Default: they have none
 */
export function listeningOf({ bind, advertise, insecure }: NetworkConfig, tls = false): Listening {
  if (!isLoopback(bind) && !tls && !insecure) {
    throw new MillraceError(
      'invalid_argument',
      `network.bind: ${bind} is no loopback address, and without TLS tokens and data cross the network in clear. Set network.insecure=true if the network is trusted, or bind to 127.0.0.1.`,
      { field: 'network.bind' },
    );
  }
  return { bind, advertise: advertise ?? (WILDCARDS.has(bind) ? hostname() : bind) };
}

/** Every address of the host. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

const isLoopback = (address: string): boolean => address === 'localhost' || address === '::1' || /^127\./.test(address);
