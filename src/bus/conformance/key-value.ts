import { expect } from 'vitest';
import type { BusHarness } from './harness.ts';
import { Collected, bytes, failure, text } from './harness.ts';
import { suite } from './suite.ts';

interface Seen {
  key: string;
  value: string | undefined;
  revision: number;
}

/** Buckets: compare-and-set, watching, expiry. */
export function describeKeyValue(name: string, start: () => Promise<BusHarness>): void {
  suite(`${name}: key-value`, start, (test) => {
    test('what is put can be read, listed and deleted; revisions grow', async ({ bus }) => {
      const jobs = bus.kv('jobs');
      expect(await jobs.get('basic.a')).toBeUndefined();
      const first = await jobs.put('basic.a', bytes('1'));
      const second = await jobs.put('basic.b', bytes('2'));
      const third = await jobs.put('basic.a', bytes('3'));
      expect(first).toBeLessThan(second);
      expect(second).toBeLessThan(third);
      const entry = await jobs.get('basic.a');
      expect({ ...entry, value: text(entry!.value) }).toEqual({ key: 'basic.a', value: '3', revision: third });
      expect(await jobs.keys('basic.*')).toEqual(['basic.a', 'basic.b']);
      await jobs.delete('basic.a');
      expect(await jobs.get('basic.a')).toBeUndefined();
      expect(await jobs.keys('basic.*')).toEqual(['basic.b']);
    });

    test('create takes only a free key, also one that was deleted', async ({ bus }) => {
      const jobs = bus.kv('jobs');
      const first = await jobs.create('create.a', bytes('1'));
      expect((await failure(jobs.create('create.a', bytes('2')))).code).toBe('already_exists');
      await jobs.delete('create.a');
      expect(await jobs.create('create.a', bytes('3'))).toBeGreaterThan(first);
      expect(text((await jobs.get('create.a'))!.value)).toBe('3');
    });

    test('update and delete compare the revision', async ({ bus }) => {
      const jobs = bus.kv('jobs');
      const first = await jobs.create('cas.a', bytes('1'));
      const second = await jobs.update('cas.a', bytes('2'), first);
      expect((await failure(jobs.update('cas.a', bytes('3'), first))).code).toBe('aborted');
      expect((await failure(jobs.delete('cas.a', first))).code).toBe('aborted');
      expect(text((await jobs.get('cas.a'))!.value)).toBe('2');
      await jobs.delete('cas.a', second);
      expect(await jobs.get('cas.a')).toBeUndefined();
      expect((await failure(jobs.update('cas.a', bytes('4'), second))).code).toBe('aborted');
    });

    test('a deletion has a revision of its own, which is the newest of its key', async ({ bus }) => {
      const jobs = bus.kv('jobs');
      const first = await jobs.create('deleted.a', bytes('1'));
      await jobs.delete('deleted.a', first);
      for (const revision of [0, first])
        expect((await failure(jobs.update('deleted.a', bytes('2'), revision))).code).toBe('aborted');
      const second = await jobs.update('deleted.a', bytes('2'), first + 1);
      expect(second).toBe(first + 2);
      await jobs.delete('deleted.a');
      await jobs.delete('deleted.a', second + 1);
      expect(await jobs.create('deleted.a', bytes('3'))).toBe(second + 3);
      expect(await jobs.update('deleted.never', bytes('1'), 0)).toBe(second + 4);
    });

    test('of many that create at once, one succeeds', async ({ bus, harness }) => {
      const other = (await harness.connect()).bus;
      const tries = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? bus : other).kv('jobs').create('race.a', bytes(`${i}`)));
      const outcomes = await Promise.allSettled(tries);
      expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'already_exists' });
    });

    test('keys with other characters are refused', async ({ bus }) => {
      for (const key of ['', 'a b', 'a*', '.a', 'a.', 'a..b', '>']) {
        expect((await failure(bus.kv('jobs').put(key, bytes('x')))).code).toBe('invalid_argument');
      }
    });

    test('a watcher gets present values, then changes, until it stops', async ({ bus, harness }) => {
      const jobs = bus.kv('jobs');
      await jobs.put('watch.a', bytes('a1'));
      await jobs.put('watch.gone', bytes('x'));
      await jobs.delete('watch.gone');
      await jobs.put('other.a', bytes('no'));
      const seen = new Collected<Seen>(harness.clock);
      const other = (await harness.connect()).bus.kv('jobs');
      const stop = await other.watch('watch.>', (c) =>
        seen.add({ key: c.key, value: c.value === undefined ? undefined : text(c.value), revision: c.revision }),
      );
      expect(seen.items.map((s) => [s.key, s.value])).toEqual([['watch.a', 'a1']]);
      for (let i = 2; i < 30; i++) await jobs.put('watch.a', bytes(`a${i}`));
      await jobs.put('watch.b', bytes('b1'));
      await jobs.delete('watch.a');
      await seen.until(() => seen.items.some((s) => s.value === undefined), 'the deletion');
      const all = [...seen.items];
      // One bucket keeps the newest value: what was overwritten before it was sent is gone.
      const written = Array.from({ length: 29 }, (_, i) => `a${i + 1}`);
      expect(all.map((s) => s.value)).toEqual([...written.filter((v) => all.some((s) => s.value === v)), 'b1', undefined]);
      expect(all.length).toBeGreaterThanOrEqual(3);
      const revisions = all.map((s) => s.revision);
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      stop();
      await jobs.put('watch.a', bytes('after'));
      await harness.clock.sleep(100);
      expect(seen.items).toHaveLength(all.length);
    });

    test('a value not written again expires, watchers hear it, and the key is free', async ({ bus, harness }) => {
      const nodes = bus.kv('nodes');
      expect(nodes.ttlMs).toBe(1000);
      const seen = new Collected<Seen>(harness.clock);
      const stop = await nodes.watch('ttl.*', (c) =>
        seen.add({ key: c.key, value: c.value === undefined ? undefined : text(c.value), revision: c.revision }),
      );
      const from = harness.clock.monotonic();
      await nodes.put('ttl.stays', bytes('1'));
      const revision = await nodes.put('ttl.goes', bytes('1'));
      for (let i = 0; i < 4; i++) {
        await harness.clock.sleep(400);
        await nodes.put('ttl.stays', bytes(`${i + 2}`));
      }
      await seen.until(() => seen.items.some((s) => s.value === undefined), 'the expiry');
      expect(harness.clock.monotonic() - from).toBeGreaterThanOrEqual(990);
      expect(seen.items.filter((s) => s.value === undefined)).toEqual([{ key: 'ttl.goes', value: undefined, revision }]);
      expect(await nodes.keys('ttl.*')).toEqual(['ttl.stays']);
      expect(await nodes.get('ttl.goes')).toBeUndefined();
      expect(await nodes.create('ttl.goes', bytes('2'))).toBeGreaterThan(revision);
      stop();
    });
  });
}
