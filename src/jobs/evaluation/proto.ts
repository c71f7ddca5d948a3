import { create } from '@bufbuild/protobuf';
import { EvaluationSchema, type Evaluation } from '../../gen/millrace/v1/admin_pb.ts';
import { evaluationKind } from './names.ts';
import type { EvaluationRecord } from '../record.ts';
import { successRate } from '../success-rate.ts';

/** An evaluation as the admin API shows it. */
export function toProtoEvaluation({ outcomes: _, comparison, ...record }: EvaluationRecord): Evaluation {
  const { incomplete } = successRate(record);
  const { taskSet = 'validation', sampled = false } = evaluationKind(record.name) ?? {};
  return create(EvaluationSchema, {
    ...record,
    ...{ taskSet, sampled, incomplete, trajectories: BigInt(record.trajectories) },
    ...(comparison && { comparison }),
  });
}
