import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detachedText } from './detached.ts';
import { openEmbeddedStore } from './embedded.ts';
import { encodeRows } from '../records/encode.ts';
import { stepRow, updateRow } from './fixtures.ts';

const path = mkdtempSync(join(tmpdir(), 'millrace-damage-'));
afterAll(() => rmSync(path, { recursive: true, force: true }));

/** Long enough that its length takes two bytes. */
const LONG_JOB = `long-${'x'.repeat(150)}`;

beforeAll(async () => {
  const store = await openEmbeddedStore({ path });
  await store.migrate();
  for (const job of ['a', LONG_JOB, 'whole']) {
    const rows = Array.from({ length: 100 }, (_, step) => stepRow({ job, step }));
    await store.insert('steps', encodeRows('steps', rows), job);
  }
  await store.insert('updates', encodeRows('updates', [updateRow({ job: 'a' })]), 'u');
  await store.close();
}, 60_000);

/** Folders of the parts of a table, as the engine's system tables name them. */
async function partsOf(table: string): Promise<{ job: string; folder: string }[]> {
  const store = await openEmbeddedStore({ path });
  const { rows } = await store.query(`SELECT partition, path FROM system.parts WHERE active AND table = '${table}'`);
  await store.close();
  return rows.map(([job, folder]) => ({ job: String(job), folder: String(folder) }));
}

function findFile(folder: string, name: string): string {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).find(
    (entry) => entry.isFile() && entry.name === name,
  );
  return join(found!.parentPath, found!.name);
}

describe('a store with damaged files', () => {
  it('names the metadata file that is damaged, and does not blame another process', async () => {
    for (const [name, text] of [
      ['steps.sql', 'garbage'],
      ['millrace.sql', ''],
    ] as const) {
      const file = findFile(path, name);
      const good = readFileSync(file);
      writeFileSync(file, text === '' ? good.subarray(0, 9) : text);
      const failure = await openEmbeddedStore({ path }).catch((error: unknown) => error as Error);
      expect(failure).toMatchObject({
        code: 'data_loss',
        message: expect.stringMatching(/is damaged: .*; restore it from a backup/) as string,
      });
      expect((failure as Error).message).toContain(`the metadata file ${file} is damaged`);
      expect((failure as Error).message).not.toMatch(/another process|Expected one of/);
      writeFileSync(file, good);
    }
    const store = await openEmbeddedStore({ path });
    expect((await store.query('SELECT count() FROM steps')).rows).toEqual([[300]]);
    expect(await store.detached()).toEqual([]);
    await store.close();
  }, 60_000);

  it('says which rows are missing when the engine has set parts aside', async () => {
    const steps = await partsOf('steps');
    const [updates] = await partsOf('updates');
    writeFileSync(join(steps.find(({ job }) => job === 'a')!.folder, 'columns.txt'), 'garbage');
    rmSync(join(steps.find(({ job }) => job === LONG_JOB)!.folder, 'data.bin'));
    writeFileSync(join(updates!.folder, 'count.txt'), 'garbage');

    const store = await openEmbeddedStore({ path });
    expect((await store.query('SELECT count() FROM steps')).rows).toEqual([[100]]);
    const { detached } = await store.stats();
    expect(detached).toEqual(await store.detached());
    const reason = 'broken-on-start';
    expect(detached.sort((one, two) => one.table.localeCompare(two.table) || one.job.localeCompare(two.job))).toMatchObject([
      { table: 'steps', job: 'a', rows: 100, reason },
      { table: 'steps', job: LONG_JOB, rows: 100, reason },
      { table: 'updates', job: '', rows: undefined, reason },
    ]);
    expect(detached[0]!.diskBytes).toBeGreaterThan(0);
    expect(detachedText(detached[0]!)).toMatch(
      /^100 rows of table steps \(job a\) are missing: part broken-on-start_\S+ was set aside \(broken-on-start\); what is left of it is in \S+\/detached\/broken-on-start_\S+$/,
    );
    expect(detachedText(detached[2]!)).toMatch(/^rows of table updates are missing/);
    await store.close();
  }, 60_000);
});
