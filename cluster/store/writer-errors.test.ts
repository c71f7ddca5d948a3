import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDeadLetters } from '../../src/protocol/replay.ts';
import { MillraceError } from '../../src/errors.ts';
import { encodeRows } from '../../src/records/encode.ts';
import { stepRow } from '../../src/store/fixtures.ts';
import { packRows } from '../../src/records/pack.ts';
import { rig, stepsStored } from './testing-writer.ts';

/** Steps of more than a megabyte. */
const largeRows = (id: string): Uint8Array =>
  encodeRows(
    'steps',
    Array.from({ length: 300 }, (_, step) => stepRow({ trajectory_id: `${id}:0`, step, result: 'x'.repeat(4000) })),
  );

describe('a writer whose store refuses or fails', () => {
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

  it('repeats the same block and token while the store is away', async () => {
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
    const { bus, store, publishGroup, until, run, left, start } = await rig();
    for (const id of ['a', 'b', 'c', 'd', 'e']) await publishGroup(id, 2, id === 'c' ? Buffer.from('[1,2,3]') : undefined);
    await bus.publish('scored.job.train', Buffer.from('not a group at all'), { id: 'junk' });
    await bus.publish('event.job.update', Buffer.from('{}'), { id: 'u' });
    const writer = await start();
    await until(() => writer.stats().messages + writer.stats().poisoned === 7);
    expect(writer.stats()).toMatchObject({ messages: 4, poisoned: 3, held: 0 });
    expect(new Set(store.rows('trajectories').map((row) => row['request_id']))).toEqual(new Set(['a', 'b', 'd', 'e']));
    const reasons: Record<string, string> = {};
    for await (const { id, reason } of readDeadLetters(bus)) reasons[id] = reason;
    expect(reasons).toEqual({
      junk: expect.stringMatching(/^not a ScoredGroup: ./) as string,
      c: expect.stringMatching(/./) as string,
      u: expect.stringMatching(/./) as string,
    });
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

  it('tries a single message that is too large for a while, then gives it up alone', async () => {
    const { clock, store, publishGroup, until, run, letters, start } = await rig();
    store.before = ({ rows }) => {
      if (rows.includes('"huge:0"')) throw new MillraceError('resource_exhausted', 'memory limit exceeded');
    };
    for (const id of ['a', 'huge', 'b']) await publishGroup(id, 2, id === 'huge' ? largeRows(id) : undefined);
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

  it('gives up no message that is small because the store has no memory, however long that takes', async () => {
    const { store, publishGroup, until, run, letters, start } = await rig();
    let full = true;
    store.before = () => {
      if (full) throw new MillraceError('resource_exhausted', 'memory limit exceeded');
    };
    for (const id of ['a', 'b', 'c']) await publishGroup(id);
    const writer = await start();
    await until(() => writer.stats().retries === 40, 500);
    full = false;
    await until(() => writer.stats().messages === 3);
    expect(store.rows('trajectories')).toHaveLength(3);
    expect(await letters()).toEqual([]);
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
          const bad = {
            fine: undefined,
            huge: largeRows('huge'),
            garbage: Buffer.from('[]\n'),
            damaged: Buffer.of(0x1f, 0x8b, 8, 0),
          };
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
