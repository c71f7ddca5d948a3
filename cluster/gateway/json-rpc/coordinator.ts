import { MillraceError } from '../../../src/errors.ts';
import { AdminService } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { createClient, type ClientOptions, type ServiceClient } from '../../../src/rpc/client.ts';

/** A client of the admin API. */
export type Admin = ServiceClient<typeof AdminService>;

/** Calls whichever coordinator is alive. */
export interface Coordinator {
  /** `unavailable` when none is. Not called a second time for a coordinator that has gone: the caller may try again. */
  call<T>(use: (admin: Admin) => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * @param find - addresses of the coordinators that are known; asked at first, and again when the one that was used does not answer. That one is
 *   then used only where no other is known: a coordinator that was killed is known for a while
 */
export function coordinatorClient(find: () => Promise<string[]>, access: Pick<ClientOptions, 'token' | 'tls'>): Coordinator {
  let used: { address: string; admin: Admin } | undefined;
  const silent = new Set<string>();
  const drop = (gone: { address: string; admin: Admin }): void => {
    if (used === gone) used = undefined;
    silent.add(gone.address);
    gone.admin.close();
  };
  const choose = async (): Promise<string> => {
    const known = await find();
    for (const address of silent) if (!known.includes(address)) silent.delete(address);
    if (known.every((address) => silent.has(address))) silent.clear();
    const address = known.find((each) => !silent.has(each));
    if (address === undefined)
      throw new MillraceError('unavailable', 'No coordinator is there; it is starting, or has just ended.');
    return address;
  };
  return {
    async call(use) {
      if (used === undefined) {
        const address = await choose();
        used ??= { address, admin: createClient(AdminService, address, access) };
      }
      const now = used;
      try {
        return await use(now.admin);
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        // One with a field is its answer.
        if (error.code === 'unavailable' && error.field === undefined) drop(now);
        throw error;
      }
    },
    close: () => used?.admin.close(),
  };
}
