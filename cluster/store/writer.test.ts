import { describe, expect, it } from 'vitest';
import { encodeRows } from '../../src/records/encode.ts';
import { evaluationRow, explorationRow, jobEventRow, stepRow, updateRow } from '../../src/store/fixtures.ts';
import { MillraceError } from '../../src/errors.ts';
import { packRows } from '../../src/records/pack.ts';
import { rig, stepsStored } from './testing-writer.ts';

describe('Writer', () => {
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
});
