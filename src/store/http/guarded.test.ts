import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrateUp } from '../migrate.ts';
import type { AuditEntry } from './audit.ts';
import { MAX_CONDITIONS } from './settings.ts';
import { openTestPort, TOKEN } from './testing.ts';
import type { TestPort } from './testing.ts';

/* What the port refuses, by real requests: as a reader without a credential, and as the writer. */
let port: TestPort;
let secret: string;
const audited: AuditEntry[] = [];
beforeAll(async () => {
  port = await openTestPort({ audit: (entry) => audited.push(entry) });
  await migrateUp((sql) => port.engine.run(sql));
  secret = join(port.engine.path, 'secret.txt');
  writeFileSync(secret, 'hunter2');
}, 60_000);
afterAll(() => port.stop());
beforeEach(() => void (audited.length = 0));

interface How {
  url?: Record<string, string>;
  write?: boolean;
  form?: Record<string, string>;
}
async function ask(query: string, { url = {}, write = false, form }: How = {}): Promise<{ status: number; text: string }> {
  const search = new URLSearchParams(form ? url : { query, ...url });
  let body: FormData | undefined;
  if (form) {
    body = new FormData();
    body.append('query', query);
    for (const [name, value] of Object.entries(form)) body.append(name, value);
  }
  const headers: Record<string, string> = write ? { 'X-ClickHouse-User': 'writer', 'X-ClickHouse-Key': TOKEN } : {};
  const response = await fetch(`${port.url}/?${search.toString()}`, {
    method: form || write ? 'POST' : 'GET',
    headers,
    ...(body && { body }),
  });
  return { status: response.status, text: await response.text() };
}

describe('a reader', () => {
  it('reads no file, by GET, POST or a form, in the query or in what comes with it', async () => {
    const path = `'${secret}'`;
    const ways: [string, How?][] = [
      [`SELECT arrayMap(file, [${path}])`],
      [`SELECT arrayMap(\`file\`, [${path}])`],
      [`SELECT * APPLY(file) FROM (SELECT ${path})`],
      [`SELECT arrayMap({f:Identifier}, [${path}])`, { url: { param_f: 'file' } }],
      [`SELECT arrayMap({f:Identifier}, [${path}])`, { form: { param_f: 'file' } }],
      [`SELECT arrayMap({f:Identifier}, [${path}])`, { url: { param_f: 'fi\\x6ce' } }],
      [`SELECT file({p:String})`, { form: { param_p: secret } }],
      ['SELECT 1 FROM numbers(1)', { url: { additional_table_filters: `{'numbers': 'file(\\'${secret}\\') = 1'}` } }],
      [
        'SELECT 1 AS a',
        { url: { additional_result_filter: `throwIf(arrayMap(file, [${path}])[1] != '', arrayMap(file, [${path}])[1])` } },
      ],
      ['SELECT 1', { url: { additional_result_filter: `1 IN (SELECT * APPLY(file) FROM (SELECT ${path}))` } }],
      [`SELECT * FROM steps SETTINGS additional_table_filters = {'steps': 'file(${path.replaceAll("'", "\\'")}) = 1'}`],
      [`DESCRIBE TABLE file(${path}, LineAsString)`],
      [`SHOW TABLES WHERE file(${path}) = ''`],
      ['SELECT * FROM stack_trace', { url: { database: 'system' } }],
      ['SELECT * FROM system.users'],
      ['SHOW CREATE USER default'],
      ['SHOW GRANTS'],
    ];
    for (const [query, how] of ways) {
      for (const write of [false, true]) {
        const { status, text } = await ask(query, { ...how, write });
        expect(text, query).not.toContain('hunter2');
        expect({ status, text }, query).toMatchObject({ status: 403, text: expect.stringContaining('ACCESS_DENIED') as string });
      }
    }
    expect(await ask(`SELECT arrayMap(upper, ['a']), {n:Identifier} FROM numbers(1)`, { url: { param_n: 'number' } })).toEqual({
      status: 200,
      text: "['A']\t0\n",
    });
  });

  it('puts no SQL into a subquery by its settings, also behind one without a value', async () => {
    const peek = `{'system.one': 'throwIf(file(\\'${secret}\\') = \\'hunter2\\', file(\\'${secret}\\')) = 0'}`;
    for (const before of ['', 'final, ', 'x.y = 1, ', '`final`, '])
      for (const [start, end] of [
        ['SELECT * FROM (', ')'],
        ['', ' UNION ALL SELECT 1'],
        ['SHOW TABLES WHERE 1 IN (', ')'],
        ['DESCRIBE TABLE (', ')'],
      ]) {
        const query = `${start}SELECT dummy FROM system.one SETTINGS ${before}additional_table_filters = ${peek}${end}`;
        for (const write of [false, true]) {
          const { status, text } = await ask(query, { write });
          expect({ status, text }, query).toMatchObject({
            status: 500,
            text: expect.stringContaining('in a subquery') as string,
          });
        }
      }
  });

  it('has its filters applied when they are harmless', async () => {
    const rows = async (url: Record<string, string>): Promise<string> =>
      (await ask('SELECT name FROM system.one AS o, (SELECT arrayJoin([1, 2, 3]) AS name) AS x', { url })).text;
    expect(await rows({ additional_result_filter: 'name > 1' })).toBe('2\n3\n');
    expect((await ask('SELECT 1', { url: { additional_result_filter: 'brandNew(1)' } })).status).toBe(404);
    expect((await ask('SELECT 1', { url: { additional_result_filter: '1; SELECT 2' } })).status).toBe(400);
    const many = `{${Array.from({ length: MAX_CONDITIONS + 1 }, (_, i) => `'t${i}': '1'`).join(', ')}}`;
    expect((await ask('SELECT 1', { form: { additional_table_filters: many } })).text).toContain(
      `Filters may have ${MAX_CONDITIONS} conditions.`,
    );
  });

  it('chooses among formats that need nothing else', async () => {
    for (const format of ['Template', 'Protobuf', 'AvroConfluent', 'CapnProto', 'MySQLWire'])
      expect((await ask(`SELECT 1 FORMAT ${format}`)).text, format).toContain('Unknown format');
    expect((await ask('INSERT INTO steps FORMAT Template', { write: true })).text).toContain('Unknown format');
  });

  it('is told what is not allowed, and what to do', async () => {
    expect((await ask("SELECT url FROM url('http://127.0.0.1/')")).text).toMatch(
      /^Code: 497\. DB::Exception: Not enough privileges\. url\(\) is not among the functions that are known to stay within the store\. \(ACCESS_DENIED\)/,
    );
  });
});

describe('the writer', () => {
  it('puts no SQL into what it writes by its settings', async () => {
    await port.engine.run('CREATE TABLE mine (s String) ENGINE = MergeTree ORDER BY s');
    const filter = `{'system.one': 'file(\\'${secret}\\') = \\'\\''}`;
    for (const query of [
      'INSERT INTO mine SELECT toString(dummy) FROM system.one',
      "ALTER TABLE mine DELETE WHERE s IN (SELECT 'a' FROM system.one)",
      'INSERT INTO mine FORMAT TSV a',
    ])
      expect(await ask(query, { write: true, url: { additional_table_filters: filter } }), query).toMatchObject({ status: 403 });
    for (const query of [
      `INSERT INTO mine SELECT toString(dummy) FROM system.one SETTINGS final, additional_table_filters = ${filter}`,
      `CREATE VIEW v AS SELECT * FROM (SELECT * FROM system.one SETTINGS final, additional_table_filters = ${filter})`,
      `ALTER TABLE mine DELETE WHERE s IN (SELECT 'a' FROM system.one SETTINGS max_threads = 1, final, additional_table_filters = ${filter})`,
      "CREATE TABLE x (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS index_granularity = 1, compress_marks, disk = 'x'",
    ])
      expect(await ask(query, { write: true }), query).toMatchObject({ status: 403 });
  });

  it('is refused what hides a function, and what destroys the store', async () => {
    for (const query of [
      'CREATE FUNCTION read AS x -> file(x)',
      'CREATE VIEW v AS SELECT * APPLY(file) FROM system.one',
      'DROP DATABASE millrace',
      'DROP TABLE steps',
      'TRUNCATE TABLE trajectories',
      'SYSTEM SHUTDOWN',
      "INSERT INTO steps (job) VALUES (file('/etc/hostname'))",
      "INSERT INTO steps (job) SELECT arrayMap(file, ['/etc/hostname'])[1]",
    ]) {
      expect(await ask(query, { write: true }), query).toMatchObject({ status: 403 });
    }
    for (const query of [
      "CREATE TABLE x (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS storage_policy = 'x'",
      "INSERT INTO steps (job) SETTINGS format_schema = 'x' VALUES ('a')",
      "INSERT INTO steps (job) SELECT 'a' SETTINGS input_format_record_errors_file_path = 'x'",
    ])
      expect((await ask(query, { write: true })).text, query).toContain('Code: 164.');
    expect(
      (await ask("CREATE TABLE x (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'local')", { write: true }))
        .status,
    ).toBe(403);
    expect((await ask('SELECT count() FROM steps')).text).toBe('0\n');
  });

  it('leaves a trace of what changes tables, and so does everyone who tries', async () => {
    await ask('CREATE TABLE x (a Int8) ENGINE = Memory', { write: true, url: { query_id: 'first' } });
    await ask('INSERT INTO x VALUES (1)', { write: true });
    await ask('SELECT * FROM x');
    await ask('DROP TABLE x', { write: true });
    await ask('DROP DATABASE millrace', { write: true });
    await ask('SYSTEM SHUTDOWN', { write: true });
    await ask('DROP TABLE millrace.steps');
    const peer = expect.stringMatching(/^(?:::ffff:)?127\.0\.0\.1:\d+$/) as string;
    const queryId = expect.stringMatching(/./) as string;
    const refused = expect.stringMatching(/./) as string;
    expect(audited).toEqual([
      { user: 'writer', peer, queryId: 'first', kind: 'CREATE TABLE', targets: ['millrace.x'] },
      { user: 'writer', peer, queryId, kind: 'DROP TABLE', targets: ['millrace.x'] },
      { user: 'writer', peer, queryId, kind: 'DROP DATABASE', targets: ['millrace'], refused },
      { user: 'writer', peer, queryId, kind: 'SYSTEM', targets: [], refused },
      { user: 'default', peer, queryId, kind: 'DROP', targets: [], refused },
    ]);
  });
});
