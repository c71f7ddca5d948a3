import { fromBinary } from '@bufbuild/protobuf';
import type { BusMessage } from '../bus/bus.ts';
import { MillraceError } from '../errors.ts';
import { ScoredGroupSchema } from '../gen/millrace/v1/training_pb.ts';
import { countRows } from '../records/encode.ts';
import { isPacked, unpackedSize } from '../records/pack.ts';
import type { TableName } from '../records/tables.ts';
import type { Item } from './batch.ts';

/** What is read of a message whose rows are to be stored. */
type IncomingMessage = Pick<BusMessage, 'subject' | 'id' | 'sequence' | 'data'>;

/** Step and trajectory rows of a scored group; throws what is wrong with a message that is none. */
export function scoredItem(message: IncomingMessage): Item {
  const { request, stepRows: steps, trajectoryRows: trajectories, scores } = fromBinary(ScoredGroupSchema, message.data);
  // Few bytes that are nothing of ours can pass for an empty message.
  if (!request && steps.length + trajectories.length === 0)
    throw new MillraceError('invalid_argument', 'the group has no request and no rows', { field: 'request' });
  const decisions = scores.reduce((sum, score) => sum + score.steps, 0);
  return itemOf(message, { steps, trajectories }, { steps: decisions, trajectories: scores.length });
}

/** Kinds of events with a table of their own; all others are job events. */
const EVENT_TABLES: Readonly<Record<string, TableName>> = {
  update: 'updates',
  evaluation: 'evaluations',
  exploration: 'exploration',
  spending: 'spending',
  'job-state': 'training_jobs',
  'checkpoint-written': 'policy_checkpoints',
  outcome: 'experiment_outcomes',
  decision: 'experiment_decisions',
};

/** Rows of an event, `event.<job>.<kind>`. */
export function eventItem(message: IncomingMessage): Item {
  const kind = message.subject.split('.')[2] ?? '';
  const table: TableName = Object.hasOwn(EVENT_TABLES, kind) ? EVENT_TABLES[kind]! : 'job_events';
  return itemOf(message, { [table]: message.data }, {});
}

/** Row of a call, from `call.<job>.<session>.<entry>`. */
export function callItem(message: IncomingMessage): Item {
  return itemOf(message, { calls: message.data }, {});
}

/** @param told - how many rows the message says that there are: those of packed blocks cannot be counted without unpacking. */
function itemOf(message: IncomingMessage, blocks: Item['blocks'], told: Partial<Record<TableName, number>>): Item {
  let rows = 0;
  let bytes = 0;
  for (const [table, block] of Object.entries(blocks) as [TableName, Uint8Array][]) {
    rows += isPacked(block) ? (told[table] ?? 0) : countRows(block);
    bytes += unpackedSize(block);
  }
  const { subject, id, sequence, data } = message;
  return { id: `${subject}|${id || sequence}`, job: subject.split('.')[1] ?? '', blocks, rows, bytes, heldBytes: data.length };
}
