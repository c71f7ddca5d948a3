import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { mountSmallDisk } from '../telemetry/testing-small-disk.ts';
import { openEmbeddedStore } from './embedded.ts';
import { encodeRows } from '../records/encode.ts';
import { stepRow } from './fixtures.ts';
import { joinRows, packRows } from '../records/pack.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-full-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the embedded store on a full disk', () => {
  it('refuses inserts for now, answers questions, and takes the same blocks when there is room', async ({ skip }) => {
    const disk = mountSmallDisk(join(folder, 'disk'), 96);
    if (disk === undefined) return skip('a small disk can only be mounted as root');
    try {
      const path = join(disk.path, 'clickhouse');
      const store = await openEmbeddedStore({ path });
      await store.migrate();
      // Of random text, so that it is as large on the disk as in memory.
      const text = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(700))).toString('base64');
      const rows = (from: number) =>
        encodeRows(
          'steps',
          Array.from({ length: 2000 }, (_, i) => stepRow({ step: from + i, result: text() })),
        );
      const [before, plain, packed] = [rows(0), rows(10_000), joinRows([packRows(rows(20_000))])];
      await store.insert('steps', before, 'before');
      disk.fill();
      const full = {
        code: 'unavailable',
        retryable: true,
        message: expect.stringMatching(/disk of the store is full/) as string,
      };
      await expect(store.insert('steps', plain, 'plain')).rejects.toMatchObject(full);
      await expect(store.insert('steps', packed, 'packed')).rejects.toMatchObject(full);
      expect((await store.query('SELECT count() FROM steps')).rows).toEqual([[2000]]);
      disk.clear();
      for (let i = 0; i < 2; i += 1) {
        await store.insert('steps', plain, 'plain');
        await store.insert('steps', packed, 'packed');
      }
      expect((await store.query('SELECT count(), uniqExact(step) FROM steps')).rows).toEqual([[6000, 6000]]);
      expect(readdirSync(join(path, 'incoming'))).toEqual([]);
      await store.close();
    } finally {
      disk.unmount();
    }
  }, 60_000);
});
