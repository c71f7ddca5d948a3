import { fromBinary } from '@bufbuild/protobuf';
import type { Bus, BusMessage, ConsumeOptions, Consumer } from '../bus/bus.ts';
import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import { ScoredGroupSchema } from '../gen/millrace/v1/training_pb.ts';
import type { Random } from '../random/random.ts';
import { Batcher } from './batcher.ts';
import type { BatcherStats, WriterLog } from './batcher.ts';
import type { Item } from './batch.ts';
import { countRows } from './encode.ts';
import { unpackRows } from './pack.ts';
import type { Store, TableName } from './store.ts';

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
  /** A batch is sent when it has this many rows. Default 5000. */
  batchRows?: number;
  /** ... or this many bytes. Default 8 MiB. */
  batchBytes?: number;
  /** ... or when its first message is this old. Default 1000: each insert makes parts to be merged, whatever its size. */
  maxDelayMs?: number;
  /** Batches on their way at once. Default 1. */
  concurrency?: number;
}

/** A running writer. */
export interface Writer {
  /** Stops taking messages, writes what it holds for at most `timeoutMs` (default 5000), gives the rest back to the bus. */
  stop(timeoutMs?: number): Promise<void>;
  stats(): BatcherStats;
}

/** Messages held in memory at most, by stream; a message stays under 1 MB. */
const SCORED_IN_FLIGHT = 128;
const EVENTS_IN_FLIGHT = 256;

/**
 * Rows are never given up because the store was away: an item is delivered this often before it counts as poison, and only
 * crashes and stops of the writer count as deliveries.
 */
const MAX_DELIVER = 50;

const SCORED: ConsumeOptions = {
  stream: 'SCORED',
  durable: 'writer',
  filter: 'scored.>',
  maxInFlight: SCORED_IN_FLIGHT,
  maxAckPending: 8 * SCORED_IN_FLIGHT,
  maxDeliver: MAX_DELIVER,
};

const EVENTS: ConsumeOptions = {
  stream: 'EVENTS',
  durable: 'writer-events',
  filter: 'event.>',
  maxInFlight: EVENTS_IN_FLIGHT,
  maxAckPending: 8 * EVENTS_IN_FLIGHT,
  maxDeliver: MAX_DELIVER,
};

/** Makes the writer's durables. Call before the first publish: SCORED keeps messages only for durables it knows. */
export async function ensureWriterDurables(bus: Bus): Promise<void> {
  await bus.ensureDurable(SCORED);
  await bus.ensureDurable(EVENTS);
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
    batchRows: options.batchRows ?? 5000,
    batchBytes: options.batchBytes ?? 8 * 1024 * 1024,
    maxDelayMs: options.maxDelayMs ?? 1000,
    concurrency: options.concurrency ?? 1,
  });
  const handle =
    (blocksOf: (message: BusMessage) => Item['blocks']) =>
    async (message: BusMessage): Promise<void> => {
      let blocks: Item['blocks'];
      try {
        blocks = blocksOf(message);
      } catch (error) {
        batcher.refuse(message, MillraceError.from(error, 'invalid_argument'));
        return;
      }
      await batcher.add(itemOf(message, blocks));
    };
  const consumers: Consumer[] = [await bus.consume(SCORED, handle(scoredBlocks)), await bus.consume(EVENTS, handle(eventBlocks))];
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
function scoredBlocks(message: BusMessage): Item['blocks'] {
  const group = fromBinary(ScoredGroupSchema, message.data);
  return { steps: unpackRows(group.stepRows), trajectories: unpackRows(group.trajectoryRows) };
}

/** Kinds of events with a table of their own; all others are job events. */
const EVENT_TABLES: Readonly<Record<string, TableName>> = {
  update: 'updates',
  evaluation: 'evaluations',
  exploration: 'exploration',
};

/** Rows of an event, `event.<job>.<kind>`. */
function eventBlocks(message: BusMessage): Item['blocks'] {
  const kind = message.subject.split('.')[2] ?? '';
  const table: TableName = Object.hasOwn(EVENT_TABLES, kind) ? EVENT_TABLES[kind]! : 'job_events';
  return { [table]: message.data };
}

function itemOf(message: BusMessage, blocks: Item['blocks']): Item {
  let rows = 0;
  let bytes = 0;
  for (const block of Object.values(blocks)) {
    rows += countRows(block);
    bytes += block.length;
  }
  return { message, id: `${message.subject}|${message.id || message.sequence}`, blocks, rows, bytes };
}
