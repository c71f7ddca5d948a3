import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@clickhouse/client';
import { afterAll, describe, expect, it } from 'vitest';
import { storeConformance } from './conformance.ts';
import { openEmbeddedStore } from './embedded.ts';
import { MemoryStore } from './memory-store.ts';
import { readerOf } from './server-reader.ts';
import { openServerStore } from './server.ts';

storeConformance('MemoryStore', () => Promise.resolve(new MemoryStore()));

describe('embedded', () => {
  const folders: string[] = [];
  afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
  storeConformance('the embedded engine', () => {
    const path = mkdtempSync(join(tmpdir(), 'millrace-store-'));
    folders.push(path);
    return openEmbeddedStore({ path });
  });
});

const url = process.env['CLICKHOUSE_URL'];
if (url) {
  const [username, password] = [process.env['CLICKHOUSE_USER'], process.env['CLICKHOUSE_PASSWORD']];
  storeConformance('a ClickHouse server', () =>
    openServerStore({
      url,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      database: `millrace_test_${randomBytes(6).toString('hex')}`,
    }),
  );

  it('lets people read the database of the store, and nothing else', async () => {
    const database = `millrace_test_${randomBytes(6).toString('hex')}`;
    const login = { url, username: username ?? 'default', password: password ?? '', database };
    const warnings: string[] = [];
    const store = await openServerStore({ ...login, warn: (message) => warnings.push(message) });
    await store.migrate();
    expect(warnings).toEqual([]);
    expect((await store.query('SELECT count() FROM steps')).rows).toEqual([[0]]);
    const reader = readerOf(login);
    const client = createClient({ url, database, username: reader.username, password: reader.password });
    for (const query of [
      "INSERT INTO steps (job) VALUES ('x')",
      'DROP TABLE steps',
      'CREATE TABLE x (a Int8) ENGINE = Memory',
      "SELECT * FROM url('http://127.0.0.1/', LineAsString)",
      "SELECT * FROM file('x', LineAsString)",
      'SELECT * FROM system.users',
      'SET readonly = 0',
    ])
      await expect(client.command({ query }), query).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:164|497)$/) as string,
      });
    await client.close();
    await store.close();
  });
} else {
  // server.test.ts runs the same over the embedded engine's own HTTP port.
  it.skip('a ClickHouse server is a Store (set CLICKHOUSE_URL to run it)', () => {});
}
