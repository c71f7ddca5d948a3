import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { ClickHouseClient, DataFormat } from '@clickhouse/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestPort } from './testing.ts';
import type { TestPort } from './testing.ts';

/* The official JavaScript client over HTTP, writing with the token. See client.test.ts. */
let port: TestPort;
let writer: ClickHouseClient;
let reader: ClickHouseClient;
beforeAll(async () => {
  port = await openTestPort();
  [writer, reader] = [port.writer(), port.client()];
  await writer.command({
    query: `CREATE TABLE things (id UInt64, name String, sku Array(UInt8))
      ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100`,
    clickhouse_settings: { wait_end_of_query: 1 },
  });
});
afterAll(() => port.stop());
beforeEach(() => writer.command({ query: 'TRUNCATE TABLE things' }));

const all = async (): Promise<unknown[]> =>
  (await reader.query({ query: 'SELECT * FROM things ORDER BY id', format: 'JSONCompactEachRow' })).json();
const THINGS = [
  { id: 42, name: "it's \t ☃", sku: [0, 1] },
  { id: 43, name: '', sku: [] },
];
const WANTED = THINGS.map(({ id, name, sku }) => [id, name, sku]);

describe('insert', () => {
  it.each<[DataFormat, unknown[]]>([
    ['JSONEachRow', THINGS],
    ['JSONCompactEachRow', WANTED],
    ['JSONCompactEachRowWithNames', [['id', 'name', 'sku'], ...WANTED]],
    ['JSONStringsEachRow', THINGS.map(({ id, name, sku }) => ({ id: String(id), name, sku: JSON.stringify(sku) }))],
  ])('takes arrays as %s', async (format, values) => {
    const { summary, query_id } = await writer.insert({ table: 'things', values, format });
    expect(await all()).toEqual(WANTED);
    expect(summary).toMatchObject({ written_rows: '2' });
    expect(query_id).toMatch(/./);
  });

  it.each<[DataFormat, string]>([
    ['CSV', '42,"it\'s \t ☃","[0,1]"\n43,,[]\n'],
    ['TabSeparated', "42\tit\\'s \\t ☃\t[0,1]\n43\t\t[]"],
    ['CSVWithNames', 'sku,id,name\n"[0,1]",42,"it\'s \t ☃"\n[],43,\n'],
  ])('takes streams of %s', async (format, text) => {
    await writer.insert({ table: 'things', values: Readable.from([text], { objectMode: false }), format });
    expect(await all()).toEqual(WANTED);
  });

  it('takes JSON documents, streams of objects, and packed ones', async () => {
    const meta = [
      { name: 'id', type: 'UInt64' },
      { name: 'name', type: 'String' },
      { name: 'sku', type: 'Array(UInt8)' },
    ];
    await writer.insert({ table: 'things', values: { meta, data: THINGS }, format: 'JSON' });
    expect(await all()).toEqual(WANTED);
    await writer.command({ query: 'TRUNCATE TABLE things' });
    const packed = port.writer({ compression: { request: true } });
    await packed.insert({ table: 'things', values: Readable.from(THINGS), format: 'JSONEachRow' });
    expect(await all()).toEqual(WANTED);
  });

  it('takes bytes that are no text', async () => {
    const row = (id: number, name: Buffer): Buffer => {
      const head = Buffer.alloc(9);
      head.writeBigUInt64LE(BigInt(id));
      head[8] = name.length;
      return Buffer.concat([head, name, Buffer.from([1, 255])]);
    };
    const bytes = Buffer.from([0xff, 0x00, 0x0a, 0x27, 0xfe]);
    await writer.exec({
      query: 'INSERT INTO things FORMAT RowBinary',
      values: Readable.from([row(1, bytes), row(2, bytes)], { objectMode: false }),
    });
    const got = await reader.query({ query: 'SELECT id, hex(name), sku FROM things ORDER BY id', format: 'JSONCompactEachRow' });
    expect(await got.json()).toEqual([
      [1, 'FF000A27FE', [255]],
      [2, 'FF000A27FE', [255]],
    ]);
    // Statement and bytes in one body.
    const body = Buffer.concat([Buffer.from('INSERT INTO things FORMAT RowBinary\n'), row(3, bytes)]);
    const headers = { 'X-ClickHouse-User': 'writer', 'X-ClickHouse-Key': 'a-token-for-tests', 'Content-Encoding': 'gzip' };
    expect((await fetch(port.url, { method: 'POST', headers, body: gzipSync(body) })).status).toBe(200);
    const third = await reader.query({ query: 'SELECT hex(name) FROM things WHERE id = 3', format: 'JSONCompactEachRow' });
    expect(await third.json()).toEqual([['FF000A27FE']]);
  });

  it('takes some columns, in any order, and leaves some out', async () => {
    await writer.insert({ table: 'things', columns: ['name', 'id'], values: [['a', 1]], format: 'JSONCompactEachRow' });
    await writer.insert({ table: 'things', columns: { except: ['name'] }, values: [{ id: 2, sku: [3] }], format: 'JSONEachRow' });
    await writer.insert({ table: 'millrace.things', values: [{ id: 3, name: 'c', sku: [] }], format: 'JSONEachRow' });
    expect(await all()).toEqual([
      [1, 'a', []],
      [2, '', [3]],
      [3, 'c', []],
    ]);
  });

  it('takes nothing', async () => {
    expect(await writer.insert({ table: 'things', values: [], format: 'JSONEachRow' })).toMatchObject({ executed: false });
    await writer.insert({ table: 'things', values: Readable.from([]), format: 'JSONEachRow' });
    await writer.exec({ query: 'INSERT INTO things FORMAT CSV', values: Readable.from([], { objectMode: false }) });
    expect(await all()).toEqual([]);
  });

  it('does not take a block again that comes with its token', async () => {
    const clickhouse_settings = { insert_deduplication_token: "it's one", async_insert: 1 as const };
    for (let i = 0; i < 3; i += 1)
      await writer.insert({ table: 'things', values: THINGS, format: 'JSONEachRow', clickhouse_settings });
    await writer.insert({ table: 'things', values: THINGS, format: 'JSONEachRow' });
    expect(await all()).toHaveLength(4);
  });

  it('takes all of a block or none, and tells what is wrong', async () => {
    await expect(
      writer.insert({
        table: 'things',
        values: Readable.from(['1\ta\t[]\nfoo\tb\t[]\n'], { objectMode: false }),
        format: 'TabSeparated',
      }),
    ).rejects.toMatchObject({
      code: '27',
      type: 'CANNOT_PARSE_INPUT_ASSERTION_FAILED',
      message: expect.stringContaining('Cannot parse input') as string,
    });
    await expect(writer.insert({ table: 'nothing', values: THINGS, format: 'JSONEachRow' })).rejects.toMatchObject({
      code: '60',
    });
    await expect(
      writer.insert({
        table: 'things',
        values: [{ id: 1, nope: 2 }],
        format: 'JSONEachRow',
        clickhouse_settings: { input_format_skip_unknown_fields: 0 },
      }),
    ).rejects.toMatchObject({ code: '117' });
    expect(await all()).toEqual([]);
  });

  it('that is aborted writes nothing', async () => {
    const controller = new AbortController();
    const never = new Readable({ objectMode: true, read() {} });
    never.push(THINGS[0]);
    const abort_signal = controller.signal;
    const inserting = expect(
      writer.insert({ table: 'things', values: never, format: 'JSONEachRow', abort_signal }),
    ).rejects.toThrow();
    await expect.poll(() => port.active, { timeout: 10_000 }).toBe(1);
    controller.abort();
    await inserting;
    await expect.poll(() => port.active, { timeout: 10_000 }).toBe(0);
    expect(await all()).toEqual([]);
  });

  it('is refused without the token', async () => {
    await expect(reader.insert({ table: 'things', values: THINGS, format: 'JSONEachRow' })).rejects.toMatchObject({
      code: '497',
      message: expect.stringContaining('Not enough privileges') as string,
    });
  });
});

describe('other statements of a writer', () => {
  it('take values with parameters, and rows of queries', async () => {
    await writer.command({
      query: 'INSERT INTO things (id, name, sku) VALUES ({id: UInt64}, {name: String}, {sku: Array(UInt8)})',
      query_params: { id: 7, name: "a'b", sku: [1, 2] },
    });
    const { summary } = await writer.command({ query: 'INSERT INTO things SELECT id + 1, upper(name), sku FROM things' });
    expect(summary).toHaveProperty('written_rows');
    expect(await all()).toEqual([
      [7, "a'b", [1, 2]],
      [8, "A'B", [1, 2]],
    ]);
  });

  it('change tables; what is there already is told', async () => {
    const query = 'CREATE TABLE once (a Int32) ENGINE MergeTree() ORDER BY a';
    await writer.command({ query });
    await expect(writer.command({ query })).rejects.toMatchObject({ code: '57', type: 'TABLE_ALREADY_EXISTS' });
    await writer.command({ query: 'ALTER TABLE once ADD COLUMN b String' });
    await writer.command({ query: 'CREATE VIEW seen AS SELECT b FROM once' });
    expect(await (await reader.query({ query: 'SELECT * FROM seen', format: 'CSV' })).text()).toBe('');
    for (const what of ['VIEW seen', 'TABLE once']) await writer.command({ query: `DROP ${what}` });
  });

  it.each([
    "INSERT INTO FUNCTION file('/tmp/x', 'CSV', 'a Int32') VALUES (1)",
    "INSERT INTO TABLE FUNCTION url('http://127.0.0.1/', 'CSV', 'a Int32') SELECT 1",
    "INSERT INTO things SELECT 1, line, [] FROM file('/etc/passwd', 'LineAsString')",
    "INSERT INTO things VALUES (1, file('/etc/passwd'), [])",
    "INSERT INTO things FROM INFILE '/etc/passwd' FORMAT CSV",
    "CREATE TABLE x ENGINE = File(CSV, '/etc/passwd')",
    "CREATE TABLE x (a Int32) ENGINE URL('http://127.0.0.1/', CSV)",
    "CREATE TABLE x (a Int32) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'local', path = '/tmp/x/')",
    "CREATE DATABASE x ENGINE = PostgreSQL('h', 'd', 'u', 'p')",
    "CREATE DICTIONARY d (a Int32) PRIMARY KEY a SOURCE(FILE(path '/etc/passwd' format CSV)) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE USER x IDENTIFIED BY 'y'",
    'SYSTEM SHUTDOWN',
    'DROP TABLE things; DROP TABLE things',
    'SET max_threads = 1',
    "ATTACH TABLE x FROM '/tmp'",
    "BACKUP TABLE things TO File('/tmp/x')",
    'KILL QUERY WHERE 1',
  ])('do not reach out: %s', async (query) => {
    await expect(writer.command({ query })).rejects.toMatchObject({ code: expect.stringMatching(/^(?:497|62)$/) as string });
  });

  it('do not reach out from values either', async () => {
    const values = Readable.from(["(1, file('/etc/passwd'), [])"], { objectMode: false });
    const inserting = writer.exec({ query: 'INSERT INTO things FORMAT Values', values });
    await expect(inserting).rejects.toMatchObject({ code: '497' });
    expect(await all()).toEqual([]);
  });
});
