import { MillraceError } from '../../src/errors.ts';
import type { AdminService } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { ServiceClient } from '../../src/rpc/client.ts';
import type { Endpoint } from './endpoint.ts';

/** A client of the admin API. */
export type AdminClient = ServiceClient<typeof AdminService>;

/** Calls the cluster at an endpoint; errors name where its address came from. `detail` is told how it went. */
export async function callAdmin<T>(
  { address, token, tls: files, origin }: Endpoint,
  use: (admin: AdminClient) => Promise<T>,
  detail: (line: string) => void,
): Promise<T> {
  const [{ createClient }, { AdminService }] = await Promise.all([
    import('../../src/rpc/client.ts'),
    import('../../src/gen/millrace/v1/admin_pb.ts'),
  ]);
  const tls = files && (await import('../../src/identity/tls-identity.ts')).openTlsIdentity(files);
  const admin = createClient(AdminService, address, { token, tls });
  detail(`asking the admin API at ${address} (from ${origin})`);
  const begun = performance.now();
  try {
    const result = await use(admin);
    detail(`answered in ${Math.round(performance.now() - begun)} ms`);
    return result;
  } catch (thrown) {
    throw withOrigin(thrown, origin);
  } finally {
    admin.close();
    tls?.close();
  }
}

function withOrigin(thrown: unknown, origin: string): unknown {
  if (!(thrown instanceof MillraceError)) return thrown;
  const { code, field } = thrown;
  // One with a field is the cluster's answer.
  if (code !== 'unauthenticated' && (code !== 'unavailable' || field !== undefined)) return thrown;
  return new MillraceError(thrown.code, `${thrown.message} The address is from ${origin}.`, {
    cause: thrown,
    retryable: thrown.retryable,
    ...(thrown.field !== undefined && { field: thrown.field }),
  });
}
