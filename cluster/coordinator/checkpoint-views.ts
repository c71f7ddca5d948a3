import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { verifyStoredCheckpoint } from '../../src/checkpoint/load.ts';
import { MillraceError } from '../../src/errors.ts';
import { CheckpointSchema, type Checkpoint } from '../../src/gen/millrace/v1/admin_pb.ts';
import { toProtoEvaluation } from '../../src/jobs/evaluation/proto.ts';
import { bestCheckpoint } from '../../src/jobs/kept-checkpoints.ts';
import type { CheckpointRecord, JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';

/** A checkpoint as the admin API shows it. */
function checkpointView({ id, evaluations }: JobRecord, entry: CheckpointRecord, problem = ''): Checkpoint {
  const { version, bytes, digest, at } = entry;
  const evaluation = evaluations.find(({ name, policyVersion }) => name === 'trained' && policyVersion === version);
  return create(CheckpointSchema, {
    ...{ jobId: id, version, digest, problem, bytes: BigInt(bytes), createTime: timestampFromMs(at) },
    ...(evaluation && { evaluation: toProtoEvaluation(evaluation) }),
  });
}

/** The best checkpoint of a job, unread; undefined while none was measured. */
export function bestCheckpointView(record: JobRecord): Checkpoint | undefined {
  const best = bestCheckpoint(record)?.version;
  const entry = record.checkpoints.find(({ version }) => version === best);
  return entry && checkpointView(record, entry);
}

/** Every checkpoint of a job, read and checked. `unavailable` while the artifacts cannot be reached. */
export async function checkedCheckpoints(
  { artifacts }: Pick<NodeContext, 'artifacts'>,
  record: JobRecord,
): Promise<Checkpoint[]> {
  const views: Checkpoint[] = [];
  // One after the other: each may be of gigabytes.
  for (const entry of record.checkpoints) {
    const problem = await verifyStoredCheckpoint(artifacts, entry.digest).then(() => '', problemOf);
    views.push(checkpointView(record, entry, problem));
  }
  return views;
}

function problemOf(thrown: unknown): string {
  const error = MillraceError.from(thrown);
  if (error.retryable) throw error;
  return error.message;
}
