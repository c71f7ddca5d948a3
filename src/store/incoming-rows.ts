import { WRITER_EVENTS, WRITER_SCORED } from '../protocol/durables.ts';
import { fromBinary } from '@bufbuild/protobuf';
import type { Bus, BusMessage, Consumer } from '../bus/bus.ts';
import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import { ScoredGroupSchema } from '../gen/millrace/v1/training_pb.ts';
import type { ScoredGroup } from '../gen/millrace/v1/training_pb.ts';
import type { Random } from '../random/random.ts';
import { Batcher } from './batcher.ts';
import type { BatcherStats, WriterLog } from './batcher.ts';
import type { Item } from './batch.ts';
import { countRows } from '../records/encode.ts';
import { isPacked, unpackedSize } from '../records/pack.ts';
import type { TableName } from '../records/tables.ts';
import type { Store } from './store.ts';

export type { BatcherStats, WriterLog };

/** Options of {@link startWriter}. */
export interface WriterOptions {
  bus: Bus;
  /** Migrated already. */
  store: Store;
  clock: Clock;
  log: WriterLog;
  /** Jitter of the waits between attempts. Default: Math.random. */
  random?: Random;
  /** A batch is sent when it has this many rows and none is on its way. Default 10_000. */
  batchRows?: number;
  /** Rows of a batch at most: what has come while the batch before was on its way. Default 50_000. */
  maxBatchRows?: number;
  /** Bytes of a batch at most, unpacked; a batch of so many is sent too. Default 48 MiB. */
  batchBytes?: number;
  /** A batch is also sent when its first message is this old. Default 1000: each insert makes parts to be merged, whatever its size. */
  maxDelayMs?: number;
  /** Batches on their way at once. Default 1. */
  concurrency?: number;
  /** Scored groups held in memory at most: two batches of groups as they usually are. Default 1024. */
  maxInFlight?: number;
}

/** A running writer. */
export interface Writer {
  /** Stops taking messages, writes what it holds for at most `timeoutMs` (default 5000), gives the rest back to the bus. */
  stop(timeoutMs?: number): Promise<void>;
  stats(): BatcherStats;
}

/** When a batch is sent: so many rows, so many bytes, or so many milliseconds after its first message. */
export const BATCH = { rows: 10_000, bytes: 48 * 1024 * 1024, delayMs: 1000 } as const;

/** Makes the writer's durables. Call before the first publish: SCORED keeps messages only for durables it knows. */
export async function ensureWriterDurables(bus: Bus): Promise<void> {
  await bus.ensureDurable(WRITER_SCORED);
  await bus.ensureDurable(WRITER_EVENTS);
}

/** Scored groups that wait to be written: on their way to a writer, held by one, or with none there to take them. */
export async function writerBacklog(bus: Bus): Promise<number> {
  const state = await bus.durableState(WRITER_SCORED.stream, WRITER_SCORED.durable);
  return state === undefined ? 0 : state.pending + state.ackPending;
}

/**
 * Writes every scored group and every event to the store, in batches. A message is acknowledged after its rows are in the
 * store; one whose rows the store refuses goes to the DLQ with the reason and holds up no other.
 */
export async function startWriter(options: WriterOptions): Promise<Writer> {
  const { bus, store, clock, log, random } = options;
  const batcher = new Batcher({
    store,
    clock,
    log,
    uniform: random ? () => random.uniform() : Math.random,
    batchRows: options.batchRows ?? BATCH.rows,
    maxBatchRows: Math.max(options.maxBatchRows ?? 50_000, options.batchRows ?? 0),
    batchBytes: options.batchBytes ?? BATCH.bytes,
    maxDelayMs: options.maxDelayMs ?? BATCH.delayMs,
    concurrency: options.concurrency ?? 1,
  });
  const handle =
    (itemOf: (message: BusMessage) => Item) =>
    async (message: BusMessage): Promise<void> => {
      let item: Item;
      try {
        item = itemOf(message);
      } catch (error) {
        batcher.refuse(message, MillraceError.from(error, 'invalid_argument'));
        return;
      }
      await batcher.add(item);
    };
  const onConflict = (error: MillraceError): void => log.error({ error: error.message }, 'the writer waits for its durable');
  const scored = { ...WRITER_SCORED, ...(options.maxInFlight !== undefined && { maxInFlight: options.maxInFlight }), onConflict };
  const consumers: Consumer[] = [
    await bus.consume(scored, handle(scoredItem)),
    await bus.consume({ ...WRITER_EVENTS, onConflict }, handle(eventItem)),
  ];
  return {
    stats: () => batcher.stats(),
    async stop(timeoutMs = 5000) {
      batcher.flush();
      await Promise.all(consumers.map((consumer) => consumer.stop(timeoutMs)));
      await batcher.close();
    },
  };
}

/** step_rows and trajectory_rows of a ScoredGroup. */
function scoredItem(message: BusMessage): Item {
  const { stepRows: steps, trajectoryRows: trajectories, scores } = groupOf(message);
  const decisions = scores.reduce((sum, score) => sum + score.steps, 0);
  return itemOf(message, { steps, trajectories }, { steps: decisions, trajectories: scores.length });
}

function groupOf({ data }: BusMessage): ScoredGroup {
  try {
    return fromBinary(ScoredGroupSchema, data);
  } catch (cause) {
    throw new MillraceError('invalid_argument', `not a ScoredGroup: ${MillraceError.from(cause).message}`, { cause });
  }
}

/** Kinds of events with a table of their own; all others are job events. */
const EVENT_TABLES: Readonly<Record<string, TableName>> = {
  update: 'updates',
  evaluation: 'evaluations',
  exploration: 'exploration',
};

/** Rows of an event, `event.<job>.<kind>`. */
function eventItem(message: BusMessage): Item {
  const kind = message.subject.split('.')[2] ?? '';
  const table: TableName = Object.hasOwn(EVENT_TABLES, kind) ? EVENT_TABLES[kind]! : 'job_events';
  return itemOf(message, { [table]: message.data }, {});
}

/** @param told - how many rows the message says that there are: those of packed blocks cannot be counted without unpacking. */
function itemOf(message: BusMessage, blocks: Item['blocks'], told: Partial<Record<TableName, number>>): Item {
  let rows = 0;
  let bytes = 0;
  for (const [table, block] of Object.entries(blocks) as [TableName, Uint8Array][]) {
    rows += isPacked(block) ? (told[table] ?? 0) : countRows(block);
    bytes += unpackedSize(block);
  }
  return { message, id: `${message.subject}|${message.id || message.sequence}`, blocks, rows, bytes };
}
