import { MillraceError } from '../../../src/errors.ts';
import { AdminService } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { createClient, type ServiceClient } from '../../../src/rpc/client.ts';

/** A client of the admin API. */
export type Admin = ServiceClient<typeof AdminService>;

/** Calls whichever coordinator is alive. */
export interface Coordinator {
  /** `unavailable` when none is. Not called a second time for a coordinator that has gone: the caller may try again. */
  call<T>(use: (admin: Admin) => Promise<T>): Promise<T>;
  close(): void;
}

/** @param find - address of a coordinator; asked at first, and again when the one that was found does not answer */
export function coordinatorClient(find: () => Promise<string | undefined>, token: string): Coordinator {
  let admin: Admin | undefined;
  const drop = (gone: Admin): void => {
    if (admin === gone) admin = undefined;
    gone.close();
  };
  return {
    async call(use) {
      if (admin === undefined) {
        const address = await find();
        if (address === undefined)
          throw new MillraceError('unavailable', 'No coordinator is there; it is starting, or has just ended.');
        admin ??= createClient(AdminService, address, { token });
      }
      const used = admin;
      try {
        return await use(used);
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        // One with a field is its answer.
        if (error.code === 'unavailable' && error.field === undefined) drop(used);
        throw error;
      }
    },
    close: () => admin?.close(),
  };
}
