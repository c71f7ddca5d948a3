import { toJson } from '@bufbuild/protobuf';
import { CheckpointSchema, type Checkpoint, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { successRate } from '../../src/jobs/success-rate.ts';
import { percent } from '../../src/jobs/percent.ts';
import { ago, byteSize } from './format.ts';
import { table } from './table.ts';

/** A checkpoint as JSON: the fields of admin.proto in lowerCamelCase, and whether it is the best or the newest of its job. */
export function checkpointJson(checkpoint: Checkpoint, job: Job, checkpoints: readonly Checkpoint[]): Record<string, unknown> {
  const json = toJson(CheckpointSchema, checkpoint, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  const { version, problem } = checkpoint;
  const newest = version === checkpoints.at(-1)?.version;
  return { ...json, whole: problem === '', best: version === job.bestCheckpoint?.version, newest };
}

/** One line a checkpoint. */
export function checkpointTable(checkpoints: readonly Checkpoint[], job: Job, now: number): string {
  const rounds = job.progress?.roundsTotal ?? 0;
  const rows = checkpoints.map(({ version, createTime, bytes, digest, evaluation, problem }, index) => {
    const success = evaluation && !evaluation.incomplete ? percent(successRate(evaluation).success) : '–';
    const marks = [version === job.bestCheckpoint?.version && 'best', index === checkpoints.length - 1 && 'newest'];
    return [
      String(version),
      `${version}/${rounds}`,
      evaluation?.incomplete ? 'incomplete' : success,
      byteSize(bytes),
      ago(createTime, now),
      digest.slice(0, 12),
      problem === '' ? 'whole' : 'damaged',
      marks.filter(Boolean).join(', '),
      problem,
    ];
  });
  const header = ['VERSION', 'ROUND', 'HELD OUT', 'SIZE', 'WRITTEN', 'DIGEST', 'STATE', '', 'PROBLEM'];
  return table(header, rows, { right: [0, 1, 2, 3], maxCell: 120 });
}
