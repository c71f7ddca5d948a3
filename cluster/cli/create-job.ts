import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CreateJobRequestSchema, Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { AdminClient } from './admin-client.ts';
import type { CliContext } from './context.ts';

/** The coordinator loads the flow and its tasks first, and `load` of a flow has five minutes. */
const TIMEOUT_MS = 330_000;
/** Who waits is told why, this often. */
const NOTE_MS = 10_000;

/** Creates a job, and says what it waits for while a coordinator reads a large task file. */
export async function createJob(
  admin: AdminClient,
  request: MessageInitShape<typeof CreateJobRequestSchema>,
  context: Pick<CliContext, 'note'>,
): Promise<Job> {
  let seconds = 0;
  const timer = setInterval(() => {
    seconds += NOTE_MS / 1000;
    context.note(`the coordinator loads the flow and its tasks (${seconds} s)`);
  }, NOTE_MS);
  try {
    return (await admin.createJob(request, { timeoutMs: TIMEOUT_MS })).job!;
  } finally {
    clearInterval(timer);
  }
}
