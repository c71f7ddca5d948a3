import type { MessageInitShape } from '@bufbuild/protobuf';
import { ExportFormat, type AdminService, type TrajectoryFilterSchema } from '../gen/millrace/v1/admin_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';
import { resumed } from './follow.ts';

/** Which trajectories; all conditions must hold. */
export type ExportFilter = MessageInitShape<typeof TrajectoryFilterSchema>;

/** Options of `MillraceClient.exportTrajectories`. */
export interface ExportOptions extends CallOptions {
  /** Default: all. */
  filter?: ExportFilter | undefined;
  /** One object a step instead of one a trajectory. Default false. */
  steps?: boolean | undefined;
}

/** See `MillraceClient.exportTrajectories`. */
export async function* exportTrajectories(
  admin: ServiceClient<typeof AdminService>,
  { filter, steps = false, ...options }: ExportOptions = {},
  patienceMs = 30_000,
): AsyncGenerator<Record<string, unknown>> {
  const request = { format: ExportFormat.JSONL, steps, ...(filter && { filter }) };
  const open = async function* (cursor: string): AsyncGenerator<{ value: Uint8Array; token: string }> {
    for await (const chunk of admin.exportTrajectories({ ...request, cursor }, options))
      yield { value: chunk.data, token: chunk.cursor };
  };
  // A chunk ends anywhere, in the middle of a character too.
  let rest = Buffer.alloc(0);
  for await (const data of resumed(open, { patienceMs, signal: options.signal })) {
    rest = Buffer.concat([rest, data]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end).toString();
      rest = rest.subarray(end + 1);
      if (line !== '') yield JSON.parse(line) as Record<string, unknown>;
    }
  }
  if (rest.length > 0) yield JSON.parse(rest.toString()) as Record<string, unknown>;
}
