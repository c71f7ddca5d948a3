import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { storeConformance } from './conformance.ts';
import { openEmbeddedStore } from './embedded.ts';
import { MemoryStore } from './memory-store.ts';
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
} else {
  // server.test.ts runs the same over the embedded engine's own HTTP port.
  it.skip('a ClickHouse server is a Store (set CLICKHOUSE_URL to run it)', () => {});
}
