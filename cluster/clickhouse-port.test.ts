import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEmbeddedStore } from '../src/store/embedded.ts';
import type { EmbeddedStore } from '../src/store/embedded.ts';
import { MemoryStore } from '../src/store/memory-store.ts';
import { openClickHousePort } from './clickhouse-port.ts';

const path = mkdtempSync(join(tmpdir(), 'millrace-port-'));
let store: EmbeddedStore;
beforeAll(async () => {
  store = await openEmbeddedStore({ path });
});
afterAll(async () => {
  await store.close();
  rmSync(path, { recursive: true, force: true });
});

/** Somebody else at a port: another cluster, or what has it already. */
async function taken(port: number): Promise<{ port: number; server: Server }> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.once('error', () => resolve());
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return { server, port: typeof address === 'object' && address ? address.port : port };
}

it('is a free one where 8123 is taken, and tells which', async () => {
  const { server } = await taken(8123);
  const port = await openClickHousePort(store, { clickhousePort: 'auto' });
  try {
    expect(port!.port).not.toBe(8123);
    expect(await (await fetch(`${port!.url}/ping`)).text()).toBe('Ok.\n');
  } finally {
    await port!.close();
    server.close();
  }
});

it('is the one that was asked for, or none: it says that it is taken', async () => {
  const { server, port: clickhousePort } = await taken(0);
  await expect(openClickHousePort(store, { clickhousePort })).rejects.toMatchObject({
    code: 'failed_precondition',
    field: 'ports.clickhouse',
    message: `port ${clickhousePort} for ClickHouse's HTTP interface is taken; choose another one`,
  });
  await new Promise((resolve) => server.close(resolve));
  const port = await openClickHousePort(store, { clickhousePort });
  expect(port!.port).toBe(clickhousePort);
  await port!.close();
});

it('asks readers for the token of the cluster and writers for theirs', async () => {
  const [token, clickhouseWriteToken] = ['the-token-of-the-cluster', 'the-token-of-writers'];
  const port = await openClickHousePort(store, { clickhousePort: 0, token, clickhouseWriteToken });
  const status = async (user: string, password: string, body: string): Promise<number> =>
    (await fetch(`${port!.url}/?user=${user}&password=${password}`, { method: 'POST', body })).status;
  try {
    expect(await status('default', '', 'SELECT 1')).toBe(403);
    expect(await status('default', token, 'SELECT 1')).toBe(200);
    expect(await status('default', token, 'CREATE TABLE t (a Int8) ENGINE = Memory')).toBe(403);
    expect(await status('writer', token, 'SELECT 1')).toBe(403);
    expect(await status('writer', clickhouseWriteToken, 'CREATE TABLE t (a Int8) ENGINE = Memory')).toBe(200);
  } finally {
    await port!.close();
  }
});

it('is not there when none is wanted, or for a store without the engine', async () => {
  expect(await openClickHousePort(store, {})).toBeUndefined();
  expect(await openClickHousePort(new MemoryStore(), { clickhousePort: 'auto' })).toBeUndefined();
});
