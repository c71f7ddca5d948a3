import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TOKEN, openTestPort } from './testing.ts';
import type { TestPort } from './testing.ts';

const MIB = 1024 * 1024;
let port: TestPort;
beforeAll(async () => {
  port = await openTestPort({ maxResultBytes: 300 * MIB, maxBodyBytes: 8 * MIB, maxWaiting: 4 });
  await ask('CREATE TABLE t (a Int32, b String) ENGINE = MergeTree ORDER BY a', { write: true });
});
afterAll(() => port.stop());

interface Asked {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  text: string;
}

interface How {
  method?: string;
  path?: string;
  url?: Record<string, string>;
  headers?: Record<string, string>;
  write?: boolean;
}

/** One request with the plainest of clients. */
function ask(body: string | Uint8Array, how: How = {}): Promise<Asked> {
  const search = new URLSearchParams({ ...how.url, ...(how.write && { user: 'writer', password: TOKEN }) });
  return new Promise((resolve, reject) => {
    const asked = request(
      `${port.url}${how.path ?? '/'}?${search.toString()}`,
      { method: how.method ?? 'POST', headers: how.headers ?? {}, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const all = Buffer.concat(chunks);
          resolve({ status: response.statusCode!, headers: response.headers, body: all, text: all.toString('utf8') });
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

const get = (query: string, how: How = {}): Promise<Asked> => ask('', { ...how, method: 'GET', url: { query, ...how.url } });
/** Files that hold results or rows of a request. */
const spooled = (): string[] => readdirSync(join(port.engine.path, 'http'));
const running = async (): Promise<string> =>
  (await ask("SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sipHash64%' AND NOT is_cancelled")).text.trim();

describe('health checks', () => {
  it.each(['/ping', '/replicas_status', '/'])('GET and HEAD %s are Ok', async (path) => {
    expect(await ask('', { method: 'GET', path })).toMatchObject({ status: 200, text: 'Ok.\n' });
    const head = await ask('', { method: 'HEAD', path });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['content-length']).toBe('4');
  });

  it('says that there is nothing else', async () => {
    expect(await ask('', { method: 'GET', path: '/play' })).toMatchObject({ status: 404 });
    expect(await ask('', { method: 'DELETE' })).toMatchObject({ status: 405 });
  });
});

describe('queries', () => {
  it('come in the URL, in the body, or in both', async () => {
    expect((await get('SELECT 1')).text).toBe('1\n');
    expect((await ask('SELECT 2')).text).toBe('2\n');
    expect((await ask('+ 40', { url: { query: 'SELECT 2' } })).text).toBe('42\n');
    expect((await ask('', { method: 'HEAD', url: { query: 'SELECT 1' } })).headers['x-clickhouse-format']).toBe('TabSeparated');
  });

  it('say in which format the answer is: the statement, then default_format, then the header', async () => {
    const headers = { 'X-ClickHouse-Format': 'JSONCompactEachRow' };
    const url = { default_format: 'CSV' };
    const formatOf = async (sql: string, how: How): Promise<unknown> => (await ask(sql, how)).headers['x-clickhouse-format'];
    expect(await formatOf('SELECT 1', {})).toBe('TabSeparated');
    expect(await formatOf('SELECT 1', { headers })).toBe('JSONCompactEachRow');
    expect(await formatOf('SELECT 1', { headers, url })).toBe('CSV');
    expect(await formatOf('SELECT 1 FORMAT TSVRaw', { headers, url })).toBe('TSVRaw');
    expect(await formatOf('SELECT 1 format JSON SETTINGS max_threads = 1;', { url })).toBe('JSON');
    expect((await ask('SELECT 1 FORMAT Nonsense')).status).toBe(404);
  });

  it('get the content types of ClickHouse', async () => {
    for (const [format, type] of [
      ['TSV', 'text/tab-separated-values; charset=UTF-8'],
      ['CSV', 'text/csv; charset=UTF-8; header=absent'],
      ['JSON', 'application/json; charset=UTF-8'],
      ['JSONEachRow', 'application/x-ndjson; charset=UTF-8'],
      ['Native', 'application/octet-stream'],
      ['Vertical', 'text/plain; charset=UTF-8'],
    ]) {
      expect((await ask(`SELECT 1 FORMAT ${format}`)).headers['content-type'], format).toBe(type);
    }
  });

  it('get headers that say what they were', async () => {
    const { headers } = await ask('SELECT number FROM numbers(3)', { url: { query_id: 'mine' } });
    expect(headers).toMatchObject({
      'x-clickhouse-query-id': 'mine',
      'x-clickhouse-timezone': 'Etc/UTC',
      'x-clickhouse-server-display-name': expect.stringMatching(/./) as string,
      'x-clickhouse-exception-tag': expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    });
    const summary = JSON.parse(String(headers['x-clickhouse-summary'])) as Record<string, string>;
    expect(summary).toMatchObject({ result_rows: '3', written_rows: '0' });
    expect(Number(summary['elapsed_ns'])).toBeGreaterThan(0);
  });

  it("greet Grafana's driver, and have it read the oldest protocol version", async () => {
    const hello = 'SELECT displayName(), version(), revision(), timezone()';
    const { body } = await ask(hello, { url: { default_format: 'Native', client_protocol_version: '54460' } });
    expect(body.subarray(0, 10).toString('hex')).toBe('010002ffffffff000401');
    expect(
      body.includes(Buffer.concat([Buffer.from('\x0arevision()\x06UInt32'), Buffer.alloc(5), Buffer.from('\x0atimezone()')])),
    ).toBe(true);
    const one = await ask('SELECT 1', { url: { default_format: 'Native', client_protocol_version: '54460' } });
    expect(one.body.toString('hex')).toBe(`0101${Buffer.from('\x011\x05UInt8\x01').toString('hex')}`);
  });

  it('may be of the granted kinds', async () => {
    for (const [sql, out] of [
      ['SHOW TABLES', /^t$/m],
      ['DESCRIBE TABLE t', /^a\tInt32/],
      ['EXISTS TABLE t', /^1$/m],
      ['EXPLAIN SELECT 1', /Read/],
      ['EXPLAIN AST SELECT 1', /^SelectWithUnionQuery \(children 1\)/],
      ['EXPLAIN SYNTAX SELECT 1', /^SELECT 1$/m],
      ['WITH 1 AS one SELECT one', /^1$/m],
      ['(SELECT 1) UNION ALL (SELECT 1)', /^1\n1$/m],
      ['SHOW CREATE TABLE t FORMAT TSVRaw', /^CREATE TABLE millrace\.t/],
    ] as const) {
      const { status, text } = await ask(sql);
      expect(text, sql).toMatch(out);
      expect(status, sql).toBe(200);
    }
  });

  it('run in the database that is asked for', async () => {
    expect((await get('SELECT currentDatabase()')).text).toBe('millrace\n');
    expect((await get('SELECT count() > 0 FROM tables', { url: { database: 'system' } })).text).toBe('1\n');
    expect((await get('SELECT currentDatabase()', { headers: { 'X-ClickHouse-Database': 'system' } })).text).toBe('system\n');
    expect((await get('SELECT currentDatabase()', { url: { database: 'default' } })).text).toBe('millrace\n');
    expect(await get('SELECT 1', { url: { database: 'no`pe' } })).toMatchObject({ status: 404 });
  });

  it('take settings, in the URL and in the statement, and forget them', async () => {
    const sql = "SELECT getSetting('max_block_size'), getSetting('max_result_rows')";
    const first = (await ask(sql)).text;
    expect((await ask(sql, { url: { max_block_size: '7', max_result_rows: '5' } })).text).toBe('7\t5\n');
    expect((await ask(`${sql} SETTINGS max_result_rows = 4, max_block_size = 9 FORMAT CSV`)).text).toBe('9,4\n');
    expect((await ask("SELECT formatRow('CSV', 1, 'x') SETTINGS format_csv_delimiter = ';'")).text).toBe('1;"x"\\n\n');
    for (let i = 0; i < port.engine.sessions.size; i += 1) expect((await ask(sql)).text).toBe(first);
  });

  it('cannot take settings that reach out, or lift limits', async () => {
    for (const name of [
      'dialect',
      'format_schema',
      'input_format_record_errors_file_path',
      'format_avro_schema_registry_url',
      'allow_introspection_functions',
      'local_filesystem_read_method',
    ]) {
      expect((await get('SELECT 1', { url: { [name]: '1' } })).text, name).toContain(
        `Code: 164. DB::Exception: Cannot modify '${name}'`,
      );
    }
    expect((await get('SELECT 1', { url: { foobar: '1' } })).text).toMatch(/^Code: 115\. .*foobar.*\(UNKNOWN_SETTING\)/);
    expect((await get('SELECT 1', { url: { readonly: '0' } })).status).toBe(500);
    const limits = "SELECT getSetting('max_execution_time'), getSetting('max_memory_usage')";
    expect((await get(limits, { url: { max_execution_time: '0', max_memory_usage: '1e15' } })).text).toBe(`600\t${512 * MIB}\n`);
    expect((await get(limits, { url: { max_execution_time: '5', max_memory_usage: '1000000' } })).text).toBe('5\t1000000\n');
    for (const sql of [
      'SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)',
      'EXPLAIN SELECT * FROM (SELECT 1 SETTINGS max_threads = 9)',
    ]) {
      expect((await ask(sql)).text, sql).toContain('Code: 164.');
    }
  });

  it('are packed when both want it', async () => {
    const [sql, wanted] = ['SELECT number FROM numbers(1000)', Array.from({ length: 1000 }, (_, i) => `${i}\n`).join('')];
    for (const [encoding, unpack] of [
      ['gzip', gunzipSync],
      ['deflate', inflateSync],
      ['br', brotliDecompressSync],
    ] as const) {
      const packed = await ask(sql, { headers: { 'Accept-Encoding': encoding } });
      expect(packed.headers['content-encoding']).toBe(encoding);
      expect(unpack(packed.body).toString()).toBe(wanted);
    }
    const headers = { 'Accept-Encoding': 'zstd, gzip;q=0' };
    expect((await ask(sql, { headers })).headers['content-encoding']).toBeUndefined();
    const off = await ask(sql, { headers: { 'Accept-Encoding': 'gzip' }, url: { enable_http_compression: '0' } });
    expect(off.text).toBe(wanted);
  });

  it('may come packed', async () => {
    expect((await ask(gzipSync('SELECT 7'), { headers: { 'Content-Encoding': 'gzip' } })).text).toBe('7\n');
    expect((await ask('SELECT 7', { headers: { 'Content-Encoding': 'gzip' } })).text).toContain('ZLIB_INFLATE_FAILED');
    expect(await ask('SELECT 7', { headers: { 'Content-Encoding': 'zstd' } })).toMatchObject({ status: 501 });
    expect(await ask('SELECT 7', { url: { decompress: '1' } })).toMatchObject({ status: 501 });
  });
});

describe('exceptions', () => {
  it.each([
    ['foobar', 400, 62, 'SYNTAX_ERROR'],
    ['', 400, 62, 'SYNTAX_ERROR'],
    ['SELECT 1; SELECT 2', 400, 62, 'SYNTAX_ERROR'],
    ['SELECT (1', 400, 62, 'SYNTAX_ERROR'],
    ["SELECT 'open", 400, 62, 'SYNTAX_ERROR'],
    ['SELECT nope', 404, 47, 'UNKNOWN_IDENTIFIER'],
    ['SELECT * FROM nope', 404, 60, 'UNKNOWN_TABLE'],
    ['SELECT nope()', 404, 46, 'UNKNOWN_FUNCTION'],
    ["SELECT toInt32('x')", 400, 6, 'CANNOT_PARSE_TEXT'],
    ['SELECT {x:Int32}', 400, 456, 'UNKNOWN_QUERY_PARAMETER'],
    ['DROP TABLE t', 403, 497, 'ACCESS_DENIED'],
    ["SELECT * FROM file('/etc/passwd')", 403, 497, 'ACCESS_DENIED'],
    ['SYSTEM SHUTDOWN', 403, 497, 'ACCESS_DENIED'],
    ["SELECT throwIf(1, 'on purpose')", 500, 395, 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'],
    ['SELECT sleep(2) SETTINGS max_execution_time = 0.1', 408, 159, 'TIMEOUT_EXCEEDED'],
    ['SELECT groupArray(number) FROM numbers(10000000) SETTINGS max_memory_usage = 1000000', 500, 241, 'MEMORY_LIMIT_EXCEEDED'],
  ])('%j is status %i, code %i', async (sql, status, code, name) => {
    const asked = await ask(sql);
    expect(asked.text).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: [^]*\\(${name}\\) \\(version [0-9.]+[^)]*\\)\\n$`));
    expect(asked.status).toBe(status);
    expect(asked.headers['x-clickhouse-exception-code']).toBe(String(code));
    expect(asked.text.match(/DB::/g)).toHaveLength(1);
    expect(asked.text).not.toContain(port.engine.path);
  });

  it('come behind the data when the answer has begun, and the answer is broken off', async () => {
    const sql =
      "SELECT number, throwIf(number = 400000, 'late') + sleep(0.02) FROM numbers(500000) SETTINGS max_block_size = 10000, max_threads = 1";
    const url = { wait_end_of_query: '0', query_id: 'late' };
    const seen = await new Promise<{ text: string; tag: string; broken: boolean }>((resolve, reject) => {
      const asked = request(`${port.url}/?${new URLSearchParams(url)}`, { method: 'POST' }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => {});
        response.on('close', () => {
          const tag = String(response.headers['x-clickhouse-exception-tag']);
          resolve({ text: Buffer.concat(chunks).toString(), tag, broken: !response.complete });
        });
      });
      asked.on('error', reject);
      asked.end(sql);
    });
    expect(seen.broken).toBe(true);
    expect(seen.text.startsWith('0\t0\n1\t0\n')).toBe(true);
    const block = new RegExp(
      `\\r\\n__exception__\\r\\n${seen.tag}\\r\\n(Code: 395[^]*\\n)(\\d+) ${seen.tag}\\r\\n__exception__\\r\\n$`,
    ).exec(seen.text);
    expect(Number(block?.[2])).toBe(Buffer.byteLength(block?.[1] ?? ''));
  });

  it('keep their status when the answer waits for the end', async () => {
    const sql = "SELECT number, throwIf(number = 400000, 'late') FROM numbers(500000) SETTINGS max_block_size = 10000";
    expect(await ask(sql, { url: { wait_end_of_query: '1' } })).toMatchObject({ status: 500 });
  });
});

describe('who asks', () => {
  it('reads as default, with any password or none', async () => {
    for (const how of [{}, { url: { user: 'default', password: 'x' } }, { headers: { 'X-ClickHouse-User': 'default' } }]) {
      expect((await ask('SELECT 1', how)).status).toBe(200);
    }
  });

  it('writes as writer, with the token in any of the usual places', async () => {
    const sql = 'INSERT INTO t VALUES (1, {text:String})';
    const ways: How[] = [
      { url: { user: 'writer', password: TOKEN } },
      { headers: { 'X-ClickHouse-User': 'writer', 'X-ClickHouse-Key': TOKEN } },
      { headers: { Authorization: `Basic ${Buffer.from(`writer:${TOKEN}`).toString('base64')}` } },
    ];
    for (const how of ways) {
      expect(await ask(sql, { ...how, url: { param_text: 'x', ...how.url } })).toMatchObject({ status: 200, text: '' });
    }
    expect((await ask('SELECT count() FROM t')).text).toBe('3\n');
    expect(await ask('TRUNCATE TABLE t', { write: true })).toMatchObject({ status: 200 });
  });

  it('is nobody else', async () => {
    const ways: How[] = [
      { url: { user: 'ann' } },
      { url: { user: 'writer' } },
      { url: { user: 'writer', password: `${TOKEN}x` } },
      { headers: { Authorization: 'Bearer abc' } },
    ];
    for (const how of ways) {
      const asked = await ask('SELECT 1', how);
      expect(asked).toMatchObject({ status: 403, headers: { 'x-clickhouse-exception-code': '516' } });
      expect(asked.text).not.toContain(TOKEN);
    }
  });

  it('came here by number or as localhost, not under a name of a page elsewhere', async () => {
    expect((await ask('SELECT 1', { headers: { Host: 'rebound.example:8123' } })).status).toBe(403);
    for (const Host of ['localhost:8123', '127.0.0.1', '[::1]:8123', 'millrace.localhost']) {
      expect((await ask('SELECT 1', { headers: { Host } })).status, Host).toBe(200);
    }
  });

  it('does not come from a web page of another origin, whatever it asks for', async () => {
    const ways: Record<string, string>[] = [
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
      { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'script' },
      { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' },
      { 'User-Agent': 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)' },
    ];
    const basic = { Authorization: `Basic ${Buffer.from(`writer:${TOKEN}`).toString('base64')}` };
    for (const headers of ways) {
      const how = { headers: { ...basic, ...headers } };
      const asked = await ask('SELECT 1', how);
      expect(asked).toMatchObject({ status: 403, headers: { 'x-clickhouse-exception-code': '497' } });
      expect(asked.text).not.toMatch(/^1$/m);
      for (const url of ['/ping', '/replicas_status', '/?query=SELECT+1', '/nowhere'])
        expect((await fetch(`${port.url}${url}`, how)).status, url).toBe(403);
      expect((await fetch(port.url, { method: 'OPTIONS', ...how })).headers.get('access-control-allow-origin')).toBeNull();
    }
    expect(await ask('SELECT 1', { headers: basic })).toMatchObject({
      status: 200,
      headers: { 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' },
    });
  });

  it('changes nothing with GET', async () => {
    const asked = await ask('', { method: 'GET', write: true, url: { query: 'INSERT INTO t VALUES (1, 2)' } });
    expect(asked.status).toBe(500);
    expect(asked.text).toContain('method GET implies readonly');
  });
});

describe('limits', () => {
  it('streams a large result in bounded memory, and keeps nothing of it', async () => {
    const before = process.memoryUsage.rss();
    let [bytes, peak] = [0, 0];
    await new Promise<void>((resolve, reject) => {
      const asked = request(`${port.url}/`, { method: 'POST' }, (response) => {
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          peak = Math.max(peak, process.memoryUsage.rss());
        });
        response.on('end', resolve);
        response.on('error', reject);
      });
      asked.on('error', reject);
      asked.end(
        "SELECT repeat('x', 1000) FROM numbers(200000) SETTINGS max_threads = 1, max_block_size = 8192, max_execution_time = 100",
      );
    });
    expect(bytes).toBe(200_000 * 1001);
    expect(peak - before).toBeLessThan(150 * MIB);
    await expect.poll(spooled).toEqual([]);
  });

  it('ends a result that is too large', async () => {
    const asked = ask(
      "SELECT repeat('x', 1000) FROM numbers(100000000) SETTINGS max_block_size = 8192, max_execution_time = 100",
      {
        url: { wait_end_of_query: '1' },
      },
    );
    expect((await asked).text).toMatch(/^Code: 307\. DB::Exception: The result is larger than/);
    expect(spooled()).toEqual([]);
  });

  it('refuses a body that is too large', async () => {
    const body = 'x'.repeat(9 * MIB);
    expect(await ask(body, { write: true, url: { query: 'INSERT INTO t FORMAT CSV' } })).toMatchObject({ status: 413 });
    expect(await ask(`SELECT '${body.slice(0, 2 * MIB)}'`)).toMatchObject({ status: 400 });
  });

  it('ends a query in the engine when its client is gone', async () => {
    const socket = connect(port.port, '127.0.0.1');
    const sql = 'SELECT sum(sipHash64(number)) FROM numbers(100000000000) SETTINGS max_threads = 1';
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${sql.length}\r\n\r\n${sql}`);
    await expect.poll(running, { timeout: 50_000 }).toBe('1');
    socket.destroy();
    await expect.poll(running, { timeout: 50_000 }).toBe('0');
    await expect.poll(spooled, { timeout: 10_000 }).toEqual([]);
  }, 120_000);

  it('lets a few queries wait, and refuses more', async () => {
    const slow = 'SELECT sum(sleepEachRow(0.05)) FROM numbers(20)';
    const most = port.engine.sessions.size + 4;
    const asked = await Promise.all(Array.from({ length: most + 3 }, () => ask(slow)));
    expect(asked.filter(({ status }) => status === 200)).toHaveLength(most);
    expect(asked.filter(({ status }) => status === 503).map(({ text }) => text.slice(0, 10))).toEqual(
      Array(3).fill('Code: 202.'),
    );
  });

  it('runs an id once at a time', async () => {
    const how = { url: { query_id: 'twice' } };
    const asked = await Promise.all([ask('SELECT sleep(0.3)', how), ask('SELECT sleep(0.3)', how)]);
    expect(asked.map(({ status }) => status).sort()).toEqual([200, 500]);
    expect((await ask('SELECT 1', how)).status).toBe(200);
  });
});
