import { EVENTS, GROUPS, ROLLOUTS } from '../../src/protocol/names.ts';
import { fromBinary } from '@bufbuild/protobuf';
import type { DeadLetter } from '../../src/gen/millrace/v1/admin_pb.ts';
import {
  RolloutRequestSchema,
  ScoredGroupSchema,
  TrajectoryGroupSchema,
  type RolloutRequest,
} from '../../src/gen/millrace/v1/training_pb.ts';
import { MillraceError } from '../../src/errors.ts';
import { unpackRows } from '../../src/records/pack.ts';
import { ago, byteSize, timestamp } from './format.ts';
import { fields, table } from './table.ts';

/** Rows of a payload that are shown, and characters of each. */
const ROWS_SHOWN = 3;
const ROW_CHARACTERS = 300;

/** Letters under a header. */
export function deadLetterTable(letters: readonly DeadLetter[], now: number): string {
  const rows = letters.map((letter) => [
    String(letter.id),
    letter.stream,
    letter.subject,
    ago(letter.time, now),
    String(letter.deliveries),
    byteSize(letter.payloadBytes),
    letter.reason,
  ]);
  return table(['ID', 'STREAM', 'SUBJECT', 'GIVEN UP', 'DELIVERIES', 'SIZE', 'REASON'], rows, { right: [0, 4, 5], maxCell: 90 });
}

/** Everything about one letter, for people. */
export function describeDeadLetter(letter: DeadLetter): string {
  const head = fields([
    ['id', String(letter.id)],
    ['stream', letter.stream],
    ['subject', letter.subject],
    ['reason', letter.reason],
    ['given up', timestamp(letter.time)],
    ['deliveries', String(letter.deliveries)],
    ['message id', letter.messageId],
    ['sequence', String(letter.sequence)],
    ['headers', JSON.stringify(letter.headers)],
    ['payload', byteSize(letter.payloadBytes)],
  ]);
  return `${head}\n${describePayload(letter)}`;
}

/** What can be read of a payload: whatever is wrong with it is what people look for here. */
function describePayload({ stream, payload }: DeadLetter): string {
  try {
    if (stream === ROLLOUTS) return ofRequest(fromBinary(RolloutRequestSchema, payload));
    if (stream === EVENTS) return ofRows('rows', payload);
    if (stream === GROUPS) {
      const { request, stepRows, node } = fromBinary(TrajectoryGroupSchema, payload);
      return ofRequest(request) + fields([['node', node]]) + ofRows('step rows', stepRows);
    }
    const { request, stepRows, trajectoryRows, node } = fromBinary(ScoredGroupSchema, payload);
    return (
      ofRequest(request) + fields([['node', node]]) + ofRows('step rows', stepRows) + ofRows('trajectory rows', trajectoryRows)
    );
  } catch (thrown) {
    return `the payload cannot be read: ${MillraceError.from(thrown).message}\n`;
  }
}

function ofRequest(request: RolloutRequest | undefined): string {
  if (!request) return 'the payload has no request\n';
  const { id, job, taskId, sequence, policyVersion } = request;
  return fields([
    ['request', id],
    ['job', job],
    ['task', taskId],
    ['request number', String(sequence)],
    ['policy version', String(policyVersion)],
  ]);
}

function ofRows(name: string, rows: Uint8Array): string {
  try {
    const lines = Buffer.from(unpackRows(rows)).toString('utf8').split('\n').filter(Boolean);
    const shown = lines.slice(0, ROWS_SHOWN).map((line) => {
      const text = line.length > ROW_CHARACTERS ? `${line.slice(0, ROW_CHARACTERS - 1)}…` : line;
      return `  ${text}\n`;
    });
    const more = lines.length > ROWS_SHOWN ? `  … and ${lines.length - ROWS_SHOWN} more\n` : '';
    return `${name}: ${lines.length}\n${shown.join('')}${more}`;
  } catch (thrown) {
    return `${name}: ${MillraceError.from(thrown).message}\n`;
  }
}
