import { memoryBus } from '../../src/protocol/memory.ts';
import { create, toBinary } from '@bufbuild/protobuf';
import type { Bus, BusMessage, ConsumeOptions } from '../../src/bus/bus.ts';
import type { MemoryBus } from '../../src/bus/memory/memory-bus.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { MillraceError } from '../../src/errors.ts';
import { ScoredGroupSchema } from '../../src/gen/millrace/v1/training_pb.ts';
import { encodeRows } from '../../src/records/encode.ts';
import { stepRow, trajectoryRow } from '../../src/store/fixtures.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { isPacked } from '../../src/records/pack.ts';
import type { TableName } from '../../src/records/tables.ts';
import { ActorSystem } from '../../src/actor/system.ts';
import { ensureWriterDurables } from '../../src/protocol/writer-durables.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { Writer, type WriterOptions } from './writer.ts';

interface Attempt {
  table: TableName;
  rows: string;
  token: string;
}

/** A store that does to each insert what the test says, and remembers them. */
class TestStore extends MemoryStore {
  readonly attempts: Attempt[] = [];
  running = 0;
  mostRunning = 0;
  before: (attempt: Attempt) => void | Promise<void> = () => {};
  after: () => void = () => {};

  override async insert(table: TableName, rows: Uint8Array, token: string): Promise<void> {
    const attempt = { table, rows: Buffer.from(rows).toString(isPacked(rows) ? 'latin1' : 'utf8'), token };
    this.attempts.push(attempt);
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      await this.before(attempt);
      await super.insert(table, rows, token);
      this.after();
    } finally {
      this.running -= 1;
    }
  }
}

/** For tests of the writer: a bus, a clock, a store and a writer; `run` lets time pass until the work is done. */
export async function rig(options: WriterOptions = {}, lostAcks: readonly number[] = []) {
  const clock = new VirtualClock({ quietTurns: 2 });
  const bus = memoryBus({ clock });
  const store = new TestStore();
  await bus.ensureTopology();
  await ensureWriterDurables(bus);
  const start = (): Promise<Writer> => {
    const random = seededRandom(1);
    const actors = new ActorSystem({ node: 'store', clock, random });
    const context = { bus: losingAcks(bus, lostAcks), clock, log: silentLogger(), metrics: createMetrics(), actors, random };
    return new Writer(context, store, options).start();
  };
  const run = <T>(work: Promise<T>): Promise<T> => clock.run(work);
  const publishGroup = (id: string, steps = 2, rows?: Uint8Array): Promise<unknown> => {
    const trajectory_id = `${id}:0`;
    const group = create(ScoredGroupSchema, {
      scores: [{ steps }],
      stepRows:
        rows ??
        encodeRows(
          'steps',
          Array.from({ length: steps }, (_, step) => stepRow({ trajectory_id, step })),
        ),
      trajectoryRows: encodeRows('trajectories', [trajectoryRow({ trajectory_id, request_id: id })]),
    });
    return bus.publish('scored.job.train', toBinary(ScoredGroupSchema, group), { id });
  };
  const letters = async (): Promise<string[]> => {
    const reasons: string[] = [];
    for await (const letter of bus.read('DLQ', 'dlq.>')) reasons.push(Buffer.from(letter.data).toString('latin1'));
    return reasons;
  };
  const until = (done: () => boolean, everyMs = 10): Promise<void> =>
    run(
      (async () => {
        while (!done()) await clock.sleep(everyMs);
      })(),
    );
  const left = async (): Promise<number> => (await bus.streamState('SCORED')).messages;
  return { clock, bus, store, run, until, publishGroup, letters, left, start };
}

/** Steps in a store, as `trajectory/step`. */
export const stepsStored = (store: MemoryStore): string[] =>
  store.rows('steps').map((row) => `${String(row['trajectory_id'])}/${String(row['step'])}`);

/** The bus with some acknowledgements lost, by their number: the server never hears of them and delivers again. */
function losingAcks(bus: MemoryBus, lost: readonly number[]): Bus {
  let acks = 0;
  const losing = (message: BusMessage): BusMessage => ({
    ...message,
    nak: (delayMs) => message.nak(delayMs),
    term: (reason) => message.term(reason),
    ack: () => {
      acks += 1;
      if (!lost.includes(acks)) return message.ack();
      message.nak(1000);
      return Promise.reject(new MillraceError('unavailable', 'no answer from the bus'));
    },
  });
  return Object.create(bus, {
    consume: {
      value: (options: ConsumeOptions, handler: (message: BusMessage) => Promise<void>) =>
        bus.consume(options, (message) => handler(losing(message))),
    },
  }) as Bus;
}
