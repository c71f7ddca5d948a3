import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrateUp } from '../migrate.ts';
import { TOKEN, openTestPort } from './testing.ts';
import type { TestPort } from './testing.ts';

/*
 * What Grafana's two ClickHouse plugins ask a server, request by request: when a data source is saved and tested, when its schema
 * is browsed, and when a panel is drawn.
 */
let port: TestPort;
beforeAll(async () => {
  port = await openTestPort();
  await migrateUp((sql) => port.engine.run(sql));
  const insert =
    "INSERT INTO steps (job, purpose, trajectory_id, step, tool, started_at) SELECT 'j', 'train', 'j:0:t:0:0', number, ";
  await port.engine.run(
    `${insert} if(number % 2, 'odd', 'even'), toDateTime64(1767225600 + number * 60, 6, 'UTC') FROM numbers(10)`,
  );
}, 60_000);
afterAll(() => port.stop());

describe('the official plugin, over HTTP', () => {
  /** As its driver (clickhouse-go) does: a POST, Native unless told, packed with gzip, its revision, and who is asking. */
  const ask = async (query: string, settings: Record<string, string> = {}): Promise<{ status: number; text: string }> => {
    const search = new URLSearchParams({
      database: 'millrace',
      default_format: 'CSV',
      client_protocol_version: '54460',
      max_execution_time: '60',
      ...settings,
    });
    const response = await fetch(`${port.url}/?${search.toString()}`, {
      method: 'POST',
      body: query,
      headers: {
        'X-ClickHouse-User': 'default',
        'X-ClickHouse-Key': '',
        'Accept-Encoding': 'gzip',
        'User-Agent': 'grafana/12.1.0 clickhouse-datasource/4.11.0 clickhouse-go/2.40.0 (lv:go/1.24; os:linux)',
      },
    });
    return { status: response.status, text: (await response.text()).trimEnd() };
  };

  it('may be told by its user how many rows to fetch', async () => {
    expect((await ask('SELECT number FROM numbers(100)', { limit: '3' })).text).toBe('0\n1\n2');
  });

  it.each([
    ['SELECT version()', /^"\d+\.\d+\.\d+/],
    ['SHOW DATABASES', /^"millrace"$/m],
    ['SHOW TABLES FROM "millrace"', /^"steps"$/m],
    ['DESC TABLE "millrace"."steps"', /^"tool","LowCardinality\(String\)"/m],
    ["SELECT name, type, table FROM system.columns WHERE database IN ('millrace') AND table = 'steps'", /^"step","UInt/m],
    ['SELECT name, type, table FROM system.columns', /"error","Bool","steps"/],
    ['select distinct tool from millrace.steps limit 1000', /^"(odd|even)"\n"(odd|even)"$/],
    [
      'SELECT DISTINCT arrayJoin(mapKeys("components")) as keys FROM (SELECT "components" FROM "millrace"."trajectories" LIMIT 1000) LIMIT 1000',
      /^$/,
    ],
  ])('browses the schema: %s', async (query, answer) => {
    const { status, text } = await ask(query);
    expect([status, text]).toEqual([200, expect.stringMatching(answer)]);
  });

  it('draws panels over time', async () => {
    const query = `SELECT toStartOfInterval(toDateTime(started_at), INTERVAL 300 second) as time, count() FROM "millrace"."steps"
      WHERE ( started_at >= toDateTime(1767225600) AND started_at <= toDateTime(1767229200) ) GROUP BY time ORDER BY time ASC LIMIT 1000`;
    expect((await ask(query)).text).toBe('"2026-01-01 00:00:00",5\n"2026-01-01 00:05:00",5');
  });

  it('narrows panels by what its user picks: ad hoc filters', async () => {
    const filtered = (filters: string): string =>
      `SELECT tool, count() FROM steps GROUP BY tool settings additional_table_filters=${filters}`;
    expect((await ask(filtered("{'steps' : ' tool = \\'odd\\' '}"))).text).toBe('"odd",5');
    expect((await ask(filtered("{'steps' : ' tool IN (\\'odd\\', \\'it\\\\\\'s\\') AND  step > 3 '}"))).text).toBe('"odd",3');
    expect((await ask(filtered("{'millrace.steps' : ' tool ILIKE \\'%VEN%\\' ', 'other': '1'}"))).text).toBe('"even",5');
    const inTheUrl = { additional_table_filters: "{'steps': 'step = 7'}" };
    expect((await ask('SELECT count() FROM steps', inTheUrl)).text).toBe('1');
    expect((await ask('SELECT count() FROM steps')).text).toBe('10');
    expect(await ask('SELECT count() FROM steps', { additional_table_filters: 'step = 7' })).toMatchObject({ status: 400 });
  });

  it('cannot reach out through filters, and nor can the writer', async () => {
    for (const condition of [
      "file('/etc/hostname') != ''",
      "`\\x66ile`('/etc/hostname') != ''",
      "1 IN (SELECT 1 FROM url('http://127.0.0.1:1/', CSV, 'a Int8'))",
      '1 IN (SELECT 1 SETTINGS readonly = 0)',
      '{x:String} = 1',
    ]) {
      const quoted = condition.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
      const hidden = [...condition].map((char) => `\\x${char.charCodeAt(0).toString(16)}`).join('');
      for (const text of [quoted, hidden]) {
        for (const who of [[], Object.entries({ user: 'writer', password: TOKEN })]) {
          const search = new URLSearchParams([['additional_table_filters', `{'steps': '${text}'}`], ...who]);
          const response = await fetch(`${port.url}/?${search.toString()}`, {
            method: 'POST',
            body: 'SELECT count() FROM steps',
          });
          expect([condition, (await response.text()).match(/\((\w+)\) \(version/)?.[1]]).toEqual([
            condition,
            expect.stringMatching(/^(ACCESS_DENIED|READONLY|BAD_ARGUMENTS)$/),
          ]);
        }
      }
    }
    const { text } = await ask('SELECT count() FROM steps', { additional_result_filter: "file('/etc/hostname') != ''" });
    expect(text).toMatch(/ACCESS_DENIED/);
  });
});

describe("Altinity's plugin", () => {
  const json = async (url: string, init: RequestInit = {}): Promise<Record<string, unknown>> => {
    const response = await fetch(`${port.url}${url}`, init);
    expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8');
    return (await response.json()) as Record<string, unknown>;
  };

  it('tests the connection and asks for the time zone', async () => {
    const url = `/?query=${encodeURIComponent('SELECT 1 FORMAT JSON')}&database=default&add_http_cors_header=1`;
    expect(await json(url)).toMatchObject({ data: [{ '1': 1 }], rows: 1 });
    expect(await json('', { method: 'POST', body: 'SELECT timezone() FORMAT JSON;' })).toMatchObject({
      data: [{ 'timezone()': expect.any(String) as string }],
    });
  });

  it.each([
    "SELECT database, table, name, type FROM system.columns WHERE database NOT IN ('system','INFORMATION_SCHEMA','information_schema') ORDER BY database, table",
    "SELECT name,database,table FROM system.columns WHERE name='tool'",
    "SELECT name, type FROM system.columns WHERE database = 'millrace' AND table = 'steps'",
    '(SELECT DISTINCT tool AS value FROM millrace.steps LIMIT 300) UNION ALL (SELECT DISTINCT tool AS value FROM millrace.tool_calls LIMIT 300)',
  ])('browses the schema: %s', async (query) => {
    const { rows } = await json('/?database=millrace', { method: 'POST', body: `${query} FORMAT JSON` });
    expect(rows).toBeGreaterThan(0);
  });

  it('draws panels, packed when it is told to', async () => {
    const query = `SELECT (intDiv(toUInt32(started_at), 60) * 60) * 1000 as t, count() FROM millrace.steps
      WHERE started_at >= toDateTime(1767225600) AND started_at <= toDateTime(1767225720) GROUP BY t ORDER BY t FORMAT JSON`;
    const url = `/?query=${encodeURIComponent(query)}&output_format_json_quote_64bit_integers=1&enable_http_compression=1`;
    expect(await json(url, { headers: { 'Accept-Encoding': 'gzip' } })).toMatchObject({
      meta: [{ name: 't' }, { name: 'count()', type: 'UInt64' }],
      data: [
        { t: '1767225600000', 'count()': '1' },
        { t: '1767225660000', 'count()': '1' },
        { t: '1767225720000', 'count()': '1' },
      ],
    });
  });
});
