import { fromBinary } from '@bufbuild/protobuf';
import { MillraceError } from '../../src/errors.ts';
import { ScoredGroupSchema, type RolloutRequest, type ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';

/** A scored group that says which request it answers. */
export type AnsweredRequest = ScoredGroup & { request: RolloutRequest };

/** Reads the message of a scored group; `invalid_argument` when it has no request, and what protobuf throws. */
export function decodeScoredGroup(data: Uint8Array): AnsweredRequest {
  const scored = fromBinary(ScoredGroupSchema, data);
  if (!scored.request) throw new MillraceError('invalid_argument', 'it has no request', { field: 'request' });
  return scored as AnsweredRequest;
}
