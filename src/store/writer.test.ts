import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bus, BusMessage, ConsumeOptions } from '../bus/bus.ts';
import { MemoryBus } from '../bus/memory/memory-bus.ts';
import { readDeadLetters } from '../bus/replay.ts';
import { VirtualClock } from '../clock/virtual.ts';
import { MillraceError } from '../errors.ts';
import { ScoredGroupSchema } from '../gen/millrace/v1/training_pb.ts';
import { encodeRows } from './encode.ts';
import { evaluationRow, jobEventRow, explorationRow, stepRow, trajectoryRow, updateRow } from './fixtures.ts';
import { MemoryStore } from './memory-store.ts';
import { isPacked, packRows } from './pack.ts';
import type { TableName } from './store.ts';
import { ensureWriterDurables, startWriter } from './writer.ts';
import type { Writer, WriterOptions } from './writer.ts';

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

const log = { info: () => {}, warn: () => {}, error: () => {} };

/** A bus, a clock, a store and a writer; `run` lets time pass until the work is done. */
async function rig(options: Partial<WriterOptions> = {}, lostAcks: readonly number[] = []) {
  const clock = new VirtualClock({ quietTurns: 2 });
  const bus = new MemoryBus({ clock });
  const store = new TestStore();
  await bus.ensureTopology();
  await ensureWriterDurables(bus);
  const settings: WriterOptions = { bus: losingAcks(bus, lostAcks), store, clock, log, ...options };
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
  return { clock, bus, store, run, until, publishGroup, letters, left, start: (): Promise<Writer> => startWriter(settings) };
}

const stepsStored = (store: MemoryStore): string[] =>
  store.rows('steps').map((row) => `${String(row['trajectory_id'])}/${String(row['step'])}`);

describe('startWriter', () => {
  it('writes scored groups and events of every kind, and acknowledges them', async () => {
    const { bus, store, publishGroup, until, run, left, start } = await rig();
    await publishGroup('r1');
    await publishGroup('r2');
    await bus.publish('event.job.update', encodeRows('updates', [updateRow()]), { id: 'u1' });
    await bus.publish('event.job.evaluation', encodeRows('evaluations', [evaluationRow()]), { id: 'e1' });
    await bus.publish('event.job.exploration', encodeRows('exploration', [explorationRow()]), { id: 'x1' });
    await bus.publish('event.job.started', encodeRows('job_events', [jobEventRow()]), { id: 's1' });
    const writer = await start();
    await until(() => writer.stats().messages === 6);
    expect(stepsStored(store)).toEqual(['r1:0/0', 'r1:0/1', 'r2:0/0', 'r2:0/1']);
    const counts = (['trajectories', 'updates', 'evaluations', 'exploration', 'job_events'] as const).map(
      (table) => store.rows(table).length,
    );
    expect(counts).toEqual([2, 1, 1, 1, 1]);
    expect(await left()).toBe(0);
    expect(writer.stats()).toMatchObject({ rows: 10, batches: 1, held: 0, waitingFor: '', poisoned: 0, retries: 0 });
    await run(writer.stop());
  });

  it('sends a batch when it is full, and a smaller one when it is old', async () => {
    const { clock, store, publishGroup, until, run, start } = await rig({ batchRows: 6, maxDelayMs: 250 });
    const writer = await start();
    const started = clock.monotonic();
    for (const id of ['a', 'b', 'c']) await publishGroup(id);
    await until(() => writer.stats().messages === 2);
    expect(clock.monotonic() - started).toBeLessThan(50);
    expect(writer.stats()).toMatchObject({ held: 1, heldRows: 3, waitingFor: 'a batch to fill' });
    await until(() => writer.stats().messages === 3);
    expect(clock.monotonic() - started).toBeGreaterThanOrEqual(250);
    expect(store.attempts.filter(({ table }) => table === 'steps').map(({ rows }) => rows.trim().split('\n').length)).toEqual([
      4, 2,
    ]);
    await run(writer.stop());
  });

  it('limits a batch by bytes too', async () => {
    const { store, publishGroup, until, run, start } = await rig({ batchBytes: 1500 });
    const writer = await start();
    for (const id of ['a', 'b', 'c', 'd']) await publishGroup(id);
    await until(() => writer.stats().messages === 4);
    expect(store.attempts.filter(({ table }) => table === 'steps').length).toBeGreaterThan(1);
    await run(writer.stop());
  });

  it('sends at once what came while a batch was on its way, up to the limits of a batch', async () => {
    const { store, publishGroup, until, run, start } = await rig({ batchRows: 6, maxBatchRows: 12, maxDelayMs: 60_000 });
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    store.before = () => gate;
    const writer = await start();
    for (let i = 0; i < 9; i += 1) await publishGroup(`r${i}`);
    await until(() => writer.stats().held === 9);
    release();
    await until(() => writer.stats().messages === 9);
    const steps = store.attempts.filter(({ table }) => table === 'steps').map(({ rows }) => rows.trim().split('\n').length);
    expect(steps).toEqual([4, 8, 6]);
    await run(writer.stop());
  });

  it('passes packed rows on as they are, and counts them by what the message says', async () => {
    const { store, publishGroup, until, run, start } = await rig();
    const rows = (id: string): Uint8Array =>
      packRows(
        encodeRows(
          'steps',
          Array.from({ length: 30 }, (_, step) => stepRow({ trajectory_id: `${id}:0`, step })),
        ),
      );
    for (const id of ['a', 'b']) await publishGroup(id, 30, rows(id));
    await publishGroup('small');
    const writer = await start();
    await until(() => writer.stats().messages === 3);
    expect(store.rows('steps')).toHaveLength(62);
    expect(writer.stats()).toMatchObject({ rows: 30 + 30 + 2 + 3, batches: 1, poisoned: 0 });
    const [sent] = store.attempts.filter(({ table }) => table === 'steps');
    expect(sent!.rows.includes(Buffer.from(rows('a')).toString('latin1'))).toBe(true);
    await run(writer.stop());
  });

  it('gives up packed rows that are damaged, and only those', async () => {
    const { store, publishGroup, until, run, letters, start } = await rig();
    const packed = packRows(Buffer.from('[]\n'.repeat(1000)));
    await publishGroup('cut', 30, packed.subarray(0, 12));
    await publishGroup('broken', 30, packed.subarray(0, packed.length - 9));
    await publishGroup('fine');
    const writer = await start();
    await until(() => writer.stats().messages + writer.stats().poisoned === 3);
    expect(writer.stats()).toMatchObject({ messages: 1, poisoned: 2, held: 0 });
    expect(store.rows('trajectories').map((row) => row['request_id'])).toEqual(['fine']);
    expect(await letters()).toHaveLength(2);
    await run(writer.stop());
  });

  it('repeats the identical block with the identical token while the store is away, and acknowledges nothing before', async () => {
    const { store, publishGroup, until, run, left, start } = await rig();
    let away = true;
    store.before = () => {
      if (away) throw new MillraceError('unavailable', 'connection refused');
    };
    for (const id of ['b', 'a']) await publishGroup(id);
    const writer = await start();
    await until(() => writer.stats().retries >= 8);
    expect(await left()).toBe(2);
    expect(writer.stats().waitingFor).toMatch(/^the store \(attempt \d+ failed: connection refused\)$/);
    away = false;
    await until(() => writer.stats().messages === 2);
    const steps = store.attempts.filter(({ table }) => table === 'steps');
    expect(steps.length).toBeGreaterThan(8);
    expect(new Set(steps.map(({ rows, token }) => rows + token)).size).toBe(1);
    expect(await left()).toBe(0);
    await run(writer.stop());
  });

  it('sends rows the store refuses to the DLQ with the reason, and all others to the store', async () => {
    const { bus, store, publishGroup, until, run, letters, left, start } = await rig();
    for (const id of ['a', 'b', 'c', 'd', 'e']) await publishGroup(id, 2, id === 'c' ? Buffer.from('[1,2,3]') : undefined);
    await bus.publish('scored.job.train', Buffer.from('not a group at all'), { id: 'junk' });
    await bus.publish('event.job.update', Buffer.from('{}'), { id: 'u' });
    const writer = await start();
    await until(() => writer.stats().messages + writer.stats().poisoned === 7);
    expect(writer.stats()).toMatchObject({ messages: 4, poisoned: 3, held: 0 });
    expect(new Set(store.rows('trajectories').map((row) => row['request_id']))).toEqual(new Set(['a', 'b', 'd', 'e']));
    expect(await letters()).toHaveLength(3);
    expect(await left()).toBe(0);
    await run(writer.stop());
  });

  it('halves a batch that is too large', async () => {
    const { store, publishGroup, until, run, start } = await rig();
    store.before = ({ rows }) => {
      if (rows.trim().split('\n').length > 4) throw new MillraceError('resource_exhausted', 'memory limit exceeded');
    };
    for (let i = 0; i < 7; i += 1) await publishGroup(`r${i}`);
    const writer = await start();
    await until(() => writer.stats().messages === 7);
    expect(store.rows('steps')).toHaveLength(14);
    expect(writer.stats()).toMatchObject({ batches: 1, retries: 0, poisoned: 0 });
    await run(writer.stop());
  });

  it('gives another token to another content under the same id', async () => {
    const { store, publishGroup, until, run, clock, start } = await rig();
    const writer = await start();
    await publishGroup('r', 2);
    await until(() => writer.stats().messages === 1);
    // After the bus has forgotten the id.
    await run(clock.sleep(10 * 60_000));
    await publishGroup('r', 3);
    await until(() => writer.stats().messages === 2);
    const [first, second] = store.attempts.filter(({ table }) => table === 'steps');
    expect(first!.token).not.toBe(second!.token);
    expect(store.rows('steps')).toHaveLength(3);
    await run(writer.stop());
  });

  it('holds a bounded number of messages while the store does not answer', async () => {
    const { clock, store, publishGroup, run, until, start } = await rig({ concurrency: 2, batchRows: 20, maxInFlight: 50 });
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    store.before = () => gate;
    for (let i = 0; i < 120; i += 1) await publishGroup(`r${i}`);
    const writer = await start();
    await run(clock.sleep(5000));
    expect(writer.stats().held).toBe(50);
    expect(store.mostRunning).toBe(2);
    release();
    await until(() => writer.stats().messages === 120);
    expect(writer.stats()).toMatchObject({ held: 0, heldRows: 0, heldBytes: 0 });
    expect(store.rows('trajectories')).toHaveLength(120);
    await run(writer.stop());
  });

  it('writes at once what it holds when it stops', async () => {
    const { clock, store, publishGroup, run, left, start } = await rig({ maxDelayMs: 60_000 });
    const writer = await start();
    await publishGroup('r');
    await run(clock.sleep(20));
    expect(writer.stats().held).toBe(1);
    const from = clock.monotonic();
    await run(writer.stop());
    expect(clock.monotonic() - from).toBeLessThan(1000);
    expect(store.rows('trajectories')).toHaveLength(1);
    expect(await left()).toBe(0);
  });

  it('leaves to the next writer what it cannot write before it stops', async () => {
    const { clock, store, publishGroup, run, until, left, start } = await rig();
    store.before = () => {
      throw new MillraceError('unavailable', 'connection refused');
    };
    for (const id of ['a', 'b', 'c']) await publishGroup(id);
    const first = await start();
    await until(() => first.stats().retries > 1);
    const from = clock.monotonic();
    await run(first.stop(1000));
    expect(clock.monotonic() - from).toBeLessThanOrEqual(1100);
    expect(await left()).toBe(3);
    store.before = () => {};
    const second = await start();
    await until(() => second.stats().messages === 3);
    expect(store.rows('trajectories')).toHaveLength(3);
    await run(second.stop());
  });

  it('tries a single message that is too large for a while, then gives it up alone', async () => {
    const { clock, store, publishGroup, until, run, letters, start } = await rig();
    store.before = ({ rows }) => {
      if (rows.includes('"huge:0"')) throw new MillraceError('resource_exhausted', 'memory limit exceeded');
    };
    for (const id of ['a', 'huge', 'b']) await publishGroup(id);
    const writer = await start();
    const from = clock.monotonic();
    await until(() => writer.stats().messages + writer.stats().poisoned === 3, 500);
    expect(clock.monotonic() - from).toBeGreaterThan(30_000);
    expect(clock.monotonic() - from).toBeLessThan(120_000);
    expect(writer.stats()).toMatchObject({ messages: 2, poisoned: 1, held: 0 });
    expect(store.rows('trajectories').map((row) => row['request_id'])).toEqual(['a', 'b']);
    expect(await letters()).toHaveLength(1);
    await run(writer.stop());
  });

  it('waits the longest time for what only people can mend, and gives no rows up for it', async () => {
    const { clock, store, publishGroup, until, run, letters, start } = await rig();
    let denied = true;
    store.before = () => {
      if (denied) throw new MillraceError('permission_denied', 'not enough privileges');
    };
    await publishGroup('r');
    const writer = await start();
    const from = clock.monotonic();
    await until(() => writer.stats().retries === 20, 500);
    expect(clock.monotonic() - from).toBeGreaterThan(19 * 5_000);
    denied = false;
    await until(() => writer.stats().messages === 1);
    expect(await letters()).toEqual([]);
    await run(writer.stop());
  });

  it('has every message stored or in the DLQ, never both and never neither, whatever fails when', async () => {
    const fault = fc.constantFrom('none', 'none', 'none', 'down', 'lost answer', 'full', 'denied');
    const kind = fc.constantFrom('fine', 'fine', 'fine', 'garbage', 'huge', 'damaged');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { maxLength: 40 }),
        fc.array(kind, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(30), { maxLength: 4 }),
        fc.array(fc.nat(3000), { maxLength: 3 }),
        async (faults, kinds, lostAcks, restarts) => {
          const { bus, clock, store, publishGroup, run, left, start } = await rig({ batchRows: 10, concurrency: 2 }, lostAcks);
          let call = 0;
          let later = false;
          store.before = ({ rows }) => {
            const next = faults[call];
            call += 1;
            later = next === 'lost answer';
            if (next === 'down') throw new MillraceError('unavailable', 'down');
            if (next === 'denied') throw new MillraceError('permission_denied', 'denied');
            if (next === 'full' || rows.includes('huge')) throw new MillraceError('resource_exhausted', 'full');
          };
          store.after = () => {
            if (later) throw new MillraceError('unavailable', 'the answer was lost');
          };
          const ids = kinds.map((what, index) => `${what}${index}`);
          const bad = { fine: undefined, huge: undefined, garbage: Buffer.from('[]\n'), damaged: Buffer.of(0x1f, 0x8b, 8, 0) };
          for (const [index, id] of ids.entries()) await publishGroup(id, 3, bad[kinds[index]!]);
          let writer = await start();
          for (const ms of restarts) {
            await run(clock.sleep(ms));
            await run(writer.stop(200));
            writer = await start();
          }
          await run(
            (async () => {
              while ((await left()) > 0) await clock.sleep(500);
            })(),
          );
          const stored = new Set(store.rows('trajectories').map((row) => String(row['request_id'])));
          const letters: string[] = [];
          for await (const letter of readDeadLetters(bus)) {
            expect(letter.reason).not.toBe('');
            letters.push(letter.id);
          }
          expect([...stored].sort()).toEqual(ids.filter((id) => id.startsWith('fine')).sort());
          expect(letters.sort()).toEqual(ids.filter((id) => !id.startsWith('fine')).sort());
          const steps = [...stored].flatMap((id) => [0, 1, 2].map((step) => `${id}:0/${step}`));
          expect(stepsStored(store).sort()).toEqual(steps.sort());
          expect(writer.stats()).toMatchObject({ held: 0, heldRows: 0, heldBytes: 0 });
          await run(writer.stop());
        },
      ),
      { numRuns: 25 },
    );
  });
});

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
