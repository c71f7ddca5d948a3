import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEmbeddedStore } from '../../src/store/embedded.ts';
import type { EmbeddedStore } from '../../src/store/embedded.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { systemClock } from '../../src/clock/system.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { keepClickHousePort, openClickHousePort, readClickHousePort } from './clickhouse-port.ts';

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
  const port = await openClickHousePort(store, { port: 'auto' });
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
  await expect(openClickHousePort(store, { port: clickhousePort })).rejects.toMatchObject({
    code: 'failed_precondition',
    field: 'ports.clickhouse',
    message: `port ${clickhousePort} for ClickHouse's HTTP interface is taken; choose another one`,
  });
  await new Promise((resolve) => server.close(resolve));
  const port = await openClickHousePort(store, { port: clickhousePort });
  expect(port!.port).toBe(clickhousePort);
  await port!.close();
});

it('is opened later when somebody has it for a while', async () => {
  const { server, port: clickhousePort } = await taken(0);
  let again: (() => void | Promise<void>) | undefined;
  const clock: Clock = {
    ...systemClock,
    every: (_, fn) => {
      again = fn;
      return () => (again = undefined);
    },
  };
  const metrics = createMetrics();
  const kept = await keepClickHousePort({ metrics, clock, log: silentLogger() }, store, { port: clickhousePort });
  await again!();
  expect(kept.open).toBeUndefined();
  await new Promise((resolve) => server.close(resolve));
  await again!();
  expect([kept.open?.port, again]).toEqual([clickhousePort, undefined]);
  expect(await (await fetch(`${kept.open!.url}/ping`)).text()).toBe('Ok.\n');
  await kept.close();
  await expect(fetch(kept.open!.url)).rejects.toThrow();
});

it('asks readers and writers for their tokens', async () => {
  const [token, writeToken] = ['the-token-of-readers', 'the-token-of-writers'];
  const port = await openClickHousePort(store, { port: 0, readToken: token, writeToken });
  const status = async (user: string, password: string, body: string): Promise<number> =>
    (await fetch(`${port!.url}/?user=${user}&password=${password}`, { method: 'POST', body })).status;
  try {
    expect(await status('default', '', 'SELECT 1')).toBe(403);
    expect(await status('default', token, 'SELECT 1')).toBe(200);
    expect(await status('reader', token, 'SELECT 1')).toBe(200);
    expect(await status('reader', writeToken, 'SELECT 1')).toBe(403);
    expect(await status('default', token, 'CREATE TABLE t (a Int8) ENGINE = Memory')).toBe(403);
    expect(await status('writer', token, 'SELECT 1')).toBe(403);
    expect(await status('writer', writeToken, 'CREATE TABLE t (a Int8) ENGINE = Memory')).toBe(200);
  } finally {
    await port!.close();
  }
});

it('logs each statement that changes tables or tried to', async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) });
  const writeToken = 'the-token-of-writers';
  const port = (await openClickHousePort(store, { port: 0, writeToken }, log))!;
  try {
    for (const body of [
      'CREATE TABLE logged (a Int8) ENGINE = Memory',
      'INSERT INTO logged VALUES (1)',
      'DROP DATABASE millrace',
    ])
      await (await fetch(`${port.url}/?user=writer&password=${writeToken}`, { method: 'POST', body })).text();
  } finally {
    await port.close();
  }
  const peer = expect.stringMatching(/:\d+$/) as string;
  expect(lines).toEqual([
    expect.objectContaining({ level: 30, user: 'writer', peer, kind: 'CREATE TABLE', targets: ['millrace.logged'] }),
    expect.objectContaining({
      level: 40,
      msg: 'administrative statement refused',
      kind: 'DROP DATABASE',
      targets: ['millrace'],
      refused: expect.stringContaining("it is Millrace's own database") as string,
    }),
  ]);
  expect(JSON.stringify(lines)).not.toContain(writeToken);
});

it('counts answers by status, aborted ones, and what runs and waits', async () => {
  const port = (await openClickHousePort(store, { port: 0 }))!;
  const metrics = createMetrics();
  readClickHousePort(metrics, port);
  const ask = (body: string, signal?: AbortSignal): Promise<number | undefined> =>
    fetch(port.url, { method: 'POST', body, ...(signal && { signal }) }).then(
      async (response) => (await response.text(), response.status),
      () => undefined,
    );
  const series = async (name: string): Promise<string[]> =>
    (await metrics.text()).split('\n').filter((line) => line.startsWith(`millrace_clickhouse_${name}`));
  try {
    expect([await ask('SELECT 1'), await ask('SELECT nope'), await ask('SELECT 2')]).toEqual([200, 404, 200]);
    const gone = new AbortController();
    const long = 'SELECT sum(sipHash64(number)) FROM numbers(100000000000)';
    const asked = Promise.all(Array.from({ length: store.engine.sessions.size + 1 }, () => ask(long, gone.signal)));
    await expect
      .poll(() => series('queries'))
      .toEqual([
        `millrace_clickhouse_queries{state="running"} ${store.engine.sessions.size}`,
        'millrace_clickhouse_queries{state="waiting"} 1',
      ]);
    gone.abort();
    await asked;
    await expect
      .poll(() => series('queries'))
      .toEqual(['millrace_clickhouse_queries{state="running"} 0', 'millrace_clickhouse_queries{state="waiting"} 0']);
    expect((await series('requests_total')).sort()).toEqual([
      'millrace_clickhouse_requests_total{status="200"} 2',
      'millrace_clickhouse_requests_total{status="404"} 1',
      `millrace_clickhouse_requests_total{status="aborted"} ${store.engine.sessions.size + 1}`,
    ]);
    expect(Number((await series('seconds_total'))[0]!.split(' ')[1])).toBeGreaterThan(0);
  } finally {
    await port.close();
  }
});

it('is not there when none is wanted, or for a store without the engine', async () => {
  expect(await openClickHousePort(store, undefined)).toBeUndefined();
  expect(await openClickHousePort(new MemoryStore(), { port: 'auto' })).toBeUndefined();
});
