import { z } from 'zod';

const file = (what: string) => z.string().min(1).describe(`PEM file of ${what}; read again when it changes`);

/** What a process shows its peers on gRPC and HTTPS, and checks theirs with. */
export const tlsSchema = z.strictObject({
  caFile: file('the certificate authority of the cluster: peers need a certificate of it'),
  certFile: file('the certificate of this process, for the names that others know its host by'),
  keyFile: file('the key of the certificate'),
});
