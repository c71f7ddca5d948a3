import { z } from 'zod';
import { splitAddresses } from '../bus/nats/address.ts';

const SCHEMES = /^(nats|tls|ws|wss)$/;
const address = z.url({ protocol: SCHEMES, hostname: /.*/ });
const file = (what: string) => z.string().min(1).optional().describe(what);

/** How NATS servers that run already are reached. */
export const natsSchema = z.strictObject({
  url: z
    .string()
    .refine((text) => splitAddresses(text).every((each) => address.safeParse(each).success), {
      error: 'expected addresses like nats://host:4222, with commas between them',
    })
    .optional()
    .describe('running NATS servers, like nats://a:4222,nats://b:4222; one is started when absent'),
  user: z.string().min(1).optional().describe('user of the NATS servers'),
  password: z.string().min(1).optional().describe('password of the user'),
  token: z.string().min(1).optional().describe('token, where the servers ask for one'),
  credsFile: file('credentials file (JWT and seed) of a user'),
  nkeyFile: file('file with the seed of an nkey'),
  caFile: file('PEM file of the certificate authority of the servers'),
  certFile: file('PEM file of a client certificate'),
  keyFile: file("PEM file of the client certificate's key"),
  replicas: z
    .union([z.literal(1), z.literal(3), z.literal(5)])
    .optional()
    .describe(
      'copies of streams and buckets, at most one for each server: 1, 3 or 5; what exists is left as it is when absent, new ones have 1',
    ),
});

/** Settings of NATS servers that run already. */
export type NatsConfig = z.infer<typeof natsSchema>;

/** {@link natsSchema} without the addresses. */
export const natsAccessSchema = natsSchema.omit({ url: true });

/** The field that says something without what it belongs to, and what is missing; undefined when all is well. */
export function natsProblem(nats: NatsConfig): { field: keyof NatsConfig; message: string } | undefined {
  const { url, user, password, token, credsFile, nkeyFile, certFile, keyFile } = nats;
  const given = (Object.keys(nats) as (keyof NatsConfig)[]).find((key) => key !== 'url' && nats[key] !== undefined);
  if (url === undefined && given !== undefined)
    return { field: given, message: 'is about servers that run already: nats.url says where' };
  if (password !== undefined && user === undefined) return { field: 'password', message: 'needs nats.user' };
  if (certFile !== undefined && keyFile === undefined) return { field: 'certFile', message: 'needs nats.keyFile' };
  if (keyFile !== undefined && certFile === undefined) return { field: 'keyFile', message: 'needs nats.certFile' };
  const ways = Object.entries({ user, token, credsFile, nkeyFile }).filter(([, value]) => value !== undefined);
  if (ways.length > 1) {
    const field = ways[1]![0] as keyof NatsConfig;
    return { field, message: `is one way to log in, nats.${ways[0]![0]} another; one of them is enough` };
  }
  return undefined;
}
