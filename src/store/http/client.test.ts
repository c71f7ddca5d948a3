import { randomUUID } from 'node:crypto';
import { TupleParam, drainStream } from '@clickhouse/client';
import type { ClickHouseClient, ClickHouseError, DataFormat } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readText } from '../client-text.ts';
import { TOKEN, openTestPort } from './testing.ts';
import type { TestPort } from './testing.ts';

/*
 * The official JavaScript client over HTTP, reading. What its public integration tests ask of a server and holds here: ping,
 * select, select_result, select_query_binding, data formats, totals, data_types (as far as they are read), date_time, settings,
 * error_parsing, exceptions in the stream, exec and command, query ids, abort, compression both ways, multipart parameters,
 * keep-alive, max_open_connections, summary. client-write.test.ts has inserts.
 *
 * What cannot hold, and why (docs/store.md says it for users):
 * - session.test, temporary tables: connections are shared, nothing is kept between two requests. session_id is taken and unused.
 * - auth.test with SQL users, role.test, read_only_user.test, node_jwt_auth: the embedded engine has no users, roles and grants.
 * - query_log.test: the embedded engine keeps no query log.
 * - exception_header.test and JSONEachRowWithProgress: there are no progress headers; progress in that format comes at the end.
 * - read_rows of a SELECT's summary: the engine tells what it returned and wrote, not what it read.
 * - zstd in requests: Node.js 20 has none. HTTPS: a port on loopback has no certificate; put a TLS front before it.
 */
let port: TestPort;
let client: ClickHouseClient;
beforeAll(async () => {
  port = await openTestPort();
  client = port.client();
});
afterAll(() => port.stop());

const rows = async (query: string, query_params: Record<string, unknown> = {}): Promise<unknown[]> =>
  (await client.query({ query, query_params, format: 'JSONCompactEachRow' })).json();
const value = async (query: string, query_params: Record<string, unknown> = {}): Promise<unknown> =>
  ((await rows(query, query_params))[0] as unknown[])[0];

describe('ping', () => {
  it('is answered, with wrong credentials too', async () => {
    expect(await client.ping()).toEqual({ success: true });
    expect(await port.client({ username: 'wrong' }).ping()).toEqual({ success: true });
  });

  it('checks them when it selects', async () => {
    expect(await client.ping({ select: true })).toEqual({ success: true });
    expect(await port.client({ username: 'wrong' }).ping({ select: true })).toMatchObject({
      success: false,
      error: { code: '516', type: 'AUTHENTICATION_FAILED', message: expect.stringContaining('Authentication failed') as string },
    });
  });
});

describe('formats', () => {
  const query = "SELECT number AS n, if(number = 1, 'é ☃', 'x') AS s FROM numbers(3)";
  const text = async (format: DataFormat): Promise<string> => (await client.query({ query, format })).text();

  it('are JSON documents', async () => {
    const json = await (await client.query({ query, format: 'JSON' })).json<{ n: number; s: string }>();
    expect(json.meta).toEqual([
      { name: 'n', type: 'UInt64' },
      { name: 's', type: 'String' },
    ]);
    expect(json.data).toEqual([
      { n: 0, s: 'x' },
      { n: 1, s: 'é ☃' },
      { n: 2, s: 'x' },
    ]);
    expect(json).toMatchObject({ rows: 3, statistics: { rows_read: 3 } });
    const compact = await (await client.query({ query, format: 'JSONCompact' })).json<unknown[]>();
    expect(compact.data).toEqual([
      [0, 'x'],
      [1, 'é ☃'],
      [2, 'x'],
    ]);
    expect(await (await client.query({ query, format: 'JSONObjectEachRow' })).json()).toMatchObject({
      row_2: { n: 1, s: 'é ☃' },
    });
    expect(await (await client.query({ query, format: 'JSONColumnsWithMetadata' })).json()).toMatchObject({
      data: { n: [0, 1, 2] },
    });
    expect(await (await client.query({ query, format: 'JSONStrings' })).json()).toMatchObject({
      data: [{ n: '0' }, { n: '1' }, { n: '2' }],
    });
  });

  it('are rows', async () => {
    expect(await text('JSONEachRow')).toBe('{"n":0,"s":"x"}\n{"n":1,"s":"é ☃"}\n{"n":2,"s":"x"}\n');
    expect(await text('JSONCompactEachRowWithNamesAndTypes')).toBe(
      '["n", "s"]\n["UInt64", "String"]\n[0, "x"]\n[1, "é ☃"]\n[2, "x"]\n',
    );
    expect(await text('CSV')).toBe('0,"x"\n1,"é ☃"\n2,"x"\n');
    expect(await text('CSVWithNames')).toBe('"n","s"\n0,"x"\n1,"é ☃"\n2,"x"\n');
    expect(await text('CustomSeparated')).toBe('0\tx\n1\té ☃\n2\tx\n');
    expect(await text('TabSeparatedWithNamesAndTypes')).toBe('n\ts\nUInt64\tString\n0\tx\n1\té ☃\n2\tx\n');
  });

  it('are Parquet and other bytes', async () => {
    const bytes = async (format: string): Promise<Buffer> => {
      const { stream } = await client.exec({ query: `${query} FORMAT ${format}` });
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    };
    const parquet = await bytes('Parquet');
    expect([parquet.subarray(0, 4).toString(), parquet.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
    expect((await bytes('RowBinary')).toString('hex')).toBe(
      '0000000000000000' + '0178' + '0100000000000000' + '06c3a920e29883' + '0200000000000000' + '0178',
    );
  });

  it('have totals and extremes', async () => {
    const rs = await client.query({
      query: 'SELECT number % 3 AS k, count() AS c FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k LIMIT 2',
      format: 'JSON',
      clickhouse_settings: { extremes: 1 },
    });
    expect(await rs.json()).toMatchObject({
      data: [
        { k: 0, c: 4 },
        { k: 1, c: 3 },
      ],
      totals: { k: 0, c: 10 },
      extremes: { min: { k: 0, c: 3 }, max: { k: 1, c: 4 } },
      rows_before_limit_at_least: 3,
    });
  });

  it('stream row by row', async () => {
    const rs = await client.query({ query: 'SELECT number FROM numbers(200000)', format: 'JSONCompactEachRow' });
    let [sum, seen] = [0, 0];
    for await (const some of rs.stream<[number]>()) {
      for (const row of some) {
        sum += row.json()[0]!;
        seen += 1;
      }
    }
    expect([seen, sum]).toEqual([200_000, 19999900000]);
    const empty = await client.query({ query: 'SELECT number FROM numbers(0)', format: 'JSONEachRow' });
    expect(await empty.json()).toEqual([]);
  });
});

describe('parameters', () => {
  it.each([
    ['Int32', -7, -7],
    ['UInt64', '18446744073709551615', '18446744073709551615'],
    ['Float64', 1.5e-7, 1.5e-7],
    ['Bool', true, true],
    [
      'String',
      'it\'s \t a \n \\ \r `quoted" ☃ 漢字 \u{1f600} {x:y} -- /* ; $$',
      'it\'s \t a \n \\ \r `quoted" ☃ 漢字 \u{1f600} {x:y} -- /* ; $$',
    ],
    ['String', '', ''],
    ['String', '\\N', '\\N'],
    ['Nullable(String)', null, null],
    ['Nullable(Int32)', null, null],
    ['Array(String)', ["a'b", 'c\\d', '', '☃\n'], ["a'b", 'c\\d', '', '☃\n']],
    ['Array(Nullable(Int32))', [1, null, 3], [1, null, 3]],
    ['Array(Array(UInt8))', [[1], [], [2, 3]], [[1], [], [2, 3]]],
    ['Map(String, Int32)', { a: 1, "b'": 2 }, { a: 1, "b'": 2 }],
    [
      'Map(String, Nullable(String))',
      new Map([
        ['k', null],
        ['l', 'v'],
      ]),
      { k: null, l: 'v' },
    ],
    ['Tuple(Int32, String, Nullable(String))', new TupleParam([42, "foo_'_\t", null]), [42, "foo_'_\t", null]],
    ['Date', '2023-05-05', '2023-05-05'],
    ['DateTime', new Date(Date.UTC(2022, 4, 2, 13, 25, 55)), '2022-05-02 13:25:55'],
    ['DateTime64(3)', new Date(Date.UTC(2022, 4, 2, 13, 25, 55, 789)), '2022-05-02 13:25:55.789'],
    ['UUID', '01234567-89ab-cdef-0123-456789abcdef', '01234567-89ab-cdef-0123-456789abcdef'],
    ['Decimal(9, 2)', '13.37', 13.37],
    ["Enum8('a' = 1, 'b' = 2)", 'b', 'b'],
    ['IPv4', '127.0.0.1', '127.0.0.1'],
  ])('%s takes %j', async (type, given, expected) => {
    const got = await value(
      `SELECT {x: ${type}} SETTINGS output_format_json_quote_64bit_integers = ${type === 'UInt64' ? 1 : 0}`,
      { x: given },
    );
    expect(got).toEqual(expected);
  });

  it('may be names', async () => {
    expect(await value('SELECT count() > 0 FROM {db: Identifier}.{t: Identifier}', { db: 'system', t: 'tables' })).toBe(1);
  });

  it('that are missing or wrong are told', async () => {
    await expect(value('SELECT {x: Int32}')).rejects.toMatchObject({ code: '456', type: 'UNKNOWN_QUERY_PARAMETER' });
    await expect(value('SELECT {x: Int32}', { x: 'abc' })).rejects.toMatchObject({ code: '457', type: 'BAD_QUERY_PARAMETER' });
    await expect(value('SELECT {x: Int32}', { x: 1, 'a b': 2 })).rejects.toMatchObject({ code: '36' });
  });

  it('of one request are not those of another', async () => {
    const many = await Promise.all(
      Array.from({ length: 60 }, (_, i) => value('SELECT {x: UInt32} + sleepEachRow(0.001)', { x: i })),
    );
    expect(many).toEqual(Array.from({ length: 60 }, (_, i) => i));
    await Promise.all(
      Array.from({ length: 12 }, () => expect(value('SELECT {x: UInt32}')).rejects.toMatchObject({ code: '456' })),
    );
  });

  it('may be too long for a URL', async () => {
    const ids = [...Array(30_000).keys()];
    const query = 'SELECT count() FROM numbers(50000) WHERE number IN {ids: Array(UInt64)}';
    for (const how of [{ use_multipart_params: true }, { use_multipart_params_auto: true }]) {
      const rs = await client.query({ query, format: 'CSV', query_params: { ids, s: "'é" }, ...how });
      expect(await rs.text()).toBe('30000\n');
    }
  });
});

describe('settings', () => {
  it('are taken, on the client and on the request', async () => {
    const query = "SELECT number, getSetting('max_block_size') FROM system.numbers LIMIT 5";
    const limited = port.client({ clickhouse_settings: { limit: '2', max_block_size: '11' } });
    expect(await (await limited.query({ query, format: 'CSV' })).text()).toBe('0,11\n1,11\n');
    const rs = await limited.query({ query, format: 'CSV', clickhouse_settings: { limit: '1' } });
    expect(await rs.text()).toBe('0,11\n');
    const quoted = await client.query({
      query: "SELECT toUInt64(1) AS a, now('UTC') > 0 AS b",
      format: 'JSONEachRow',
      clickhouse_settings: {
        output_format_json_quote_64bit_integers: 1,
        date_time_output_format: 'iso',
        session_timezone: 'Asia/Tokyo',
      },
    });
    expect(await quoted.json()).toEqual([{ a: '1', b: 1 }]);
  });

  it('that do not exist are told', async () => {
    await expect(client.query({ query: 'SELECT 1', clickhouse_settings: { foobar: 1 } as never })).rejects.toMatchObject({
      code: '115',
      type: 'UNKNOWN_SETTING',
      message: expect.stringContaining('foobar') as string,
    });
  });

  it('of servers are left aside', async () => {
    const rs = await port
      .client({
        clickhouse_settings: {
          async_insert: 1,
          wait_for_async_insert: 1,
          send_progress_in_http_headers: 1,
          cancel_http_readonly_queries_on_client_close: 1,
          wait_end_of_query: 1,
          insert_quorum: '1',
        },
        session_id: randomUUID(),
        role: 'any',
      })
      .query({ query: 'SELECT 1', format: 'CSV' });
    expect(await rs.text()).toBe('1\n');
  });
});

describe('statements', () => {
  it.each([
    ['SELECT number FROM numbers(2) -- comment', '0\n1\n'],
    ['SELECT number /* two\n lines */ FROM numbers(2)', '0\n1\n'],
    ['\n  SELECT number\n  FROM numbers(2)\n', '0\n1\n'],
    ['SELECT number FROM numbers(2);;;;', '0\n1\n'],
    ["SELECT ';'", '";"\n'],
    ["SELECT 'a -- b /* c'", '"a -- b /* c"\n'],
    ['SELECT 1 AS "a;b"', '1\n'],
  ])('%j', async (query, out) => {
    expect(await (await client.query({ query, format: 'CSV' })).text()).toBe(out);
  });

  it('have ids', async () => {
    const rs = await client.query({ query: 'SELECT 1' });
    expect(rs.query_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(rs.response_headers['x-clickhouse-query-id']).toBe(rs.query_id);
    const query_id = randomUUID();
    expect((await client.query({ query: 'SELECT 1', query_id })).query_id).toBe(query_id);
  });

  it('run with exec and command too', async () => {
    const { stream, summary, http_status_code, response_headers } = await client.exec({
      query: 'SELECT plus({a: Int32}, {b: Int32}) FORMAT CSV;',
      query_params: { a: 10, b: 20 },
    });
    expect(await readText(stream)).toBe('30\n');
    expect(http_status_code).toBe(200);
    expect(response_headers['content-type']).toBe('text/csv; charset=UTF-8; header=absent');
    expect(summary).toMatchObject({ result_rows: '1', elapsed_ns: expect.stringMatching(/^\d+$/) as string });
    const one = port.client({ max_open_connections: 1, request_timeout: 10_000 });
    for (let i = 0; i < 3; i += 1) expect((await one.command({ query: 'SELECT 42 FORMAT TSV' })).query_id).toMatch(/./);
    expect((await client.command({ query: 'invalid', ignore_error_response: true })).query_id).toMatch(/./);
    expect(await readText((await client.exec({ query: 'EXISTS system.foobar;;' })).stream)).toBe('0\n');
  });

  it('run many at once, and one after the other on one connection', async () => {
    const sums = await Promise.all(
      Array.from({ length: 20 }, (_, i) => value(`SELECT toInt32(sum(number)) FROM numbers(${i + 1})`)),
    );
    expect(sums).toEqual(Array.from({ length: 20 }, (_, i) => (i * (i + 1)) / 2));
    const alive = port.client({ max_open_connections: 1, keep_alive: { enabled: true, idle_socket_ttl: 2500 } });
    for (let i = 0; i < 30; i += 1)
      expect(await (await alive.query({ query: `SELECT ${i}`, format: 'CSV' })).text()).toBe(`${i}\n`);
    const closing = port.client({ keep_alive: { enabled: false } });
    expect(await (await closing.query({ query: 'SELECT 1', format: 'CSV' })).text()).toBe('1\n');
  });

  it('come and go packed', async () => {
    const packed = port.writer({ compression: { request: true, response: true } });
    const rs = await packed.query({ query: 'SELECT number FROM numbers(20000)', format: 'JSONEachRow' });
    expect(rs.response_headers['content-encoding']).toBe('gzip');
    const all = await rs.json<{ number: number }>();
    expect(all[19_999]).toEqual({ number: 19_999 });
  });
});

describe('errors', () => {
  it.each([
    ['foobar', '62', 'SYNTAX_ERROR', 'Syntax error'],
    ['SELECT number FR', '47', 'UNKNOWN_IDENTIFIER', 'number'],
    ['SELECT * FROM unknown_table', '60', 'UNKNOWN_TABLE', 'unknown_table'],
    ['SELECT * FROM unknown.table', '81', 'UNKNOWN_DATABASE', 'unknown'],
    ['CREATE TABLE x (a Int32) ENGINE = Memory', '497', 'ACCESS_DENIED', 'Not enough privileges'],
    ["SELECT * FROM url('http://127.0.0.1/', 'LineAsString')", '497', 'ACCESS_DENIED', 'Not enough privileges'],
  ])('%j is %s', async (query, code, type, text) => {
    await expect(client.query({ query })).rejects.toMatchObject({ code, type, message: expect.stringContaining(text) as string });
  });

  it('say so when nobody is there any more', async () => {
    await expect(port.client({ username: 'writer', password: `${TOKEN}!` }).query({ query: 'SELECT 1' })).rejects.toMatchObject({
      code: '516',
      type: 'AUTHENTICATION_FAILED',
    });
  });

  it('in the middle of a stream are thrown by it', async () => {
    const rs = await client.query({
      // It takes a moment before it fails, by when the first rows are on their way: or the whole answer would be the error.
      query:
        "SELECT toInt32(number) AS n, if(number < 290000, 0, sleepEachRow(0.00005)) AS s, throwIf(number = 300000, 'boom') AS e FROM system.numbers LIMIT 400000",
      format: 'JSONEachRow',
      clickhouse_settings: { max_block_size: '10000', max_threads: 1 },
    });
    let seen = 0;
    const read = async (): Promise<void> => {
      for await (const some of rs.stream()) seen += some.length;
    };
    const error = (await read().catch((thrown: unknown) => thrown)) as ClickHouseError;
    expect(error).toMatchObject({ code: '395', message: expect.stringContaining('boom') as string });
    expect(seen).toBeGreaterThan(1000);
  });
});

describe('abort', () => {
  it('ends a query that waits, and one that streams', async () => {
    const first = new AbortController();
    const waiting = client.query({ query: 'SELECT sleep(3)', abort_signal: first.signal });
    first.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    // This client's signal ends a request, not the reading of its answer; who reads no further is gone.
    const rs = await client.query({ query: 'SELECT * FROM system.numbers', format: 'JSONCompactEachRow' });
    for await (const some of rs.stream()) if (some.length > 0) break;
    const stopped = await client.query({ query: 'SELECT * FROM system.numbers', format: 'JSONCompactEachRow' });
    stopped.close();
    await expect.poll(() => port.active, { timeout: 10_000 }).toBe(0);
    await drainStream((await client.exec({ query: 'SELECT 1' })).stream);
  });
});
