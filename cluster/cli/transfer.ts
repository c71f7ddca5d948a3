import { join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ExportTrajectoriesRequestSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { Imported } from '../../src/store/export/import.ts';
import type { ExportMessage } from '../admin/export.ts';
import type { CliContext } from './context.ts';
import { storeIsAtRest, withStoreAtRest } from './store-at-rest.ts';

/** A request as a client writes it. */
export type ExportInit = MessageInitShape<typeof ExportTrajectoriesRequestSchema>;

/** Exports and imports, wherever the store is. */
export interface Transfer {
  export(request: ExportInit): AsyncIterable<ExportMessage>;
  import(lines: string[], job: string): Promise<Imported>;
}

/**
 * Gives `use` the exports and imports of the cluster, or, where none is running, of the store that the last one left.
 */
export async function withTransfer<T>(context: CliContext, use: (transfer: Transfer) => Promise<T>): Promise<T> {
  const { signal } = context;
  if (!storeIsAtRest(context)) {
    return context.withAdmin((admin) =>
      use({
        export: (request) => admin.exportTrajectories(request, { signal }),
        import: (lines, job) => admin.importTrajectories({ lines, job }, { signal, timeoutMs: 60_000 }),
      }),
    );
  }
  const [{ create }, { ExportTrajectoriesRequestSchema }, { StoreTransfer }] = await Promise.all([
    import('@bufbuild/protobuf'),
    import('../../src/gen/millrace/v1/admin_pb.ts'),
    import('../admin/export.ts'),
  ]);
  return withStoreAtRest(context, async (store) => {
    const transfer = new StoreTransfer(store, join(context.stateDir, 'exports'));
    try {
      return await use({
        export: (request) => transfer.exportTrajectories(create(ExportTrajectoriesRequestSchema, request), signal),
        import: (lines, job) => transfer.importTrajectories({ lines, job }),
      });
    } finally {
      transfer.close();
    }
  });
}
