import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClickHouseStore } from '../clickhouse-store.ts';
import { judgeFunction } from './engine-names.ts';
import { findDistrusted } from './existing.ts';
import { openTestJudge } from './testing.ts';
import type { TestJudge } from './testing.ts';
import { ownTables } from './write-rules.ts';

let judge: TestJudge;
let refusedFunctions: string[];
beforeAll(async () => {
  judge = await openTestJudge();
  await new ClickHouseStore(judge.engine).migrate();
  await judge.engine.run('CREATE TABLE mine (s String, n Int64) ENGINE = MergeTree ORDER BY n');
  const names = await judge.engine.judge.names();
  refusedFunctions = [...names.functions.keys()].filter((name) => judgeFunction(name, names) === 'refused');
}, 60_000);
afterAll(() => judge.stop());

async function verdict(sql: string, parameters?: Record<string, string>): Promise<string> {
  try {
    const { refused } = await judge.write(sql, { parameters });
    return refused ? (refused.kind === 'outside' ? 'refused' : refused.kind) : 'passed';
  } catch (error) {
    return (error as Error).message.slice(0, 120);
  }
}
async function getThrough(statements: Iterable<string>): Promise<string[]> {
  const found: string[] = [];
  for (const sql of statements) {
    const was = await verdict(sql);
    if (was !== 'refused') found.push(`${sql}: ${was}`);
  }
  return found;
}

/** Where an expression can stand in a statement that writes. */
const POSITIONS: readonly ((e: string) => string)[] = [
  (e) => `INSERT INTO mine SELECT ${e}, 1`,
  (e) => `INSERT INTO mine (SELECT ${e}, 1)`,
  (e) => `INSERT INTO mine WITH ${e} AS x SELECT x, 1`,
  (e) => `INSERT INTO mine VALUES (${e}, 1)`,
  (e) => `INSERT INTO mine (s, n) VALUES ('a', 1), (${e}, 2)`,
  (e) => `CREATE VIEW v AS SELECT ${e}`,
  (e) => `CREATE VIEW v AS (SELECT ${e})`,
  (e) => `CREATE MATERIALIZED VIEW v ENGINE = MergeTree ORDER BY n AS SELECT ${e} AS s, n FROM mine`,
  (e) => `CREATE MATERIALIZED VIEW v TO mine AS SELECT ${e} AS s, n FROM mine`,
  (e) => `CREATE TABLE x ENGINE = Memory AS SELECT ${e}`,
  (e) => `CREATE TABLE x (s String DEFAULT ${e}) ENGINE = Memory`,
  (e) => `CREATE TABLE x (s String MATERIALIZED ${e}) ENGINE = Memory`,
  (e) => `CREATE TABLE x (s String ALIAS ${e}) ENGINE = Memory`,
  (e) => `CREATE TABLE x (s String EPHEMERAL ${e}) ENGINE = Memory`,
  (e) => `CREATE TABLE x (s String, CONSTRAINT c CHECK ${e} = '') ENGINE = Memory`,
  (e) => `CREATE TABLE x (s String, INDEX i ${e} TYPE minmax) ENGINE = MergeTree ORDER BY s`,
  (e) => `CREATE TABLE x (s String, PROJECTION p (SELECT ${e} ORDER BY s)) ENGINE = MergeTree ORDER BY s`,
  (e) => `CREATE TABLE x (s String) ENGINE = MergeTree ORDER BY ${e}`,
  (e) => `CREATE TABLE x (s String) ENGINE = MergeTree ORDER BY s PARTITION BY ${e}`,
  (e) => `CREATE TABLE x (s String) ENGINE = MergeTree ORDER BY s TTL toDateTime(${e})`,
  (e) => `ALTER TABLE mine ADD COLUMN x String DEFAULT ${e}`,
  (e) => `ALTER TABLE mine MODIFY COLUMN s String DEFAULT ${e}`,
  (e) => `ALTER TABLE mine ADD INDEX i ${e} TYPE set(10)`,
  (e) => `ALTER TABLE mine ADD CONSTRAINT c CHECK ${e} = ''`,
  (e) => `ALTER TABLE mine ADD PROJECTION p (SELECT ${e} ORDER BY n)`,
  (e) => `ALTER TABLE mine MODIFY TTL toDateTime(${e})`,
  (e) => `ALTER TABLE mine UPDATE s = ${e} WHERE 1`,
  (e) => `ALTER TABLE mine UPDATE n = 1 WHERE s = ${e}`,
  (e) => `ALTER TABLE mine DELETE WHERE s = ${e}`,
  (e) => `ALTER TABLE mine DELETE WHERE s IN (SELECT ${e})`,
  (e) => `DELETE FROM mine WHERE s = ${e}`,
  (e) => `UPDATE mine SET s = ${e} WHERE 1`,
  (e) => `CREATE INDEX i ON mine (${e}) TYPE minmax`,
];

describe('every refused function', () => {
  it('is refused in statements that write', async () => {
    const spread = refusedFunctions.flatMap((f, i) =>
      // All positions for one function, and a few for each.
      POSITIONS.filter((_, at) => i === refusedFunctions.indexOf('file') || (i + at) % 8 === 0).flatMap((position) => [
        position(`${f}('x')`),
        position(`arrayMap(${f}, ['x'])[1]`),
      ]),
    );
    expect(await getThrough(spread)).toEqual([]);
    for (const position of POSITIONS) expect(await verdict(position('upper(s)')), position('upper(s)')).toBe('passed');
  }, 60_000);

  it('is refused in APPLY, where the tree does not show it', async () => {
    const apply = '* APPLY(file) FROM mine';
    expect(
      await getThrough([
        `INSERT INTO mine SELECT ${apply}`,
        `CREATE VIEW v AS SELECT ${apply}`,
        `CREATE MATERIALIZED VIEW v TO mine AS SELECT ${apply}`,
        `CREATE TABLE x ENGINE = Memory AS SELECT ${apply}`,
        `CREATE TABLE x (s String, PROJECTION p (SELECT * APPLY(file) ORDER BY s)) ENGINE = MergeTree ORDER BY s AS SELECT 'a' AS s`,
        'ALTER TABLE mine ADD PROJECTION p (SELECT * APPLY(file))',
        `DELETE FROM mine WHERE s IN (SELECT ${apply})`,
        `ALTER TABLE mine UPDATE s = (SELECT ${apply}) WHERE 1`,
      ]),
    ).toEqual([]);
  });

  it('hides behind no other thing', async () => {
    expect(
      await getThrough([
        'CREATE FUNCTION f AS x -> file(x)',
        'CREATE OR REPLACE FUNCTION f AS (x) -> arrayMap(file, [x])',
        "CREATE DICTIONARY d (a String) PRIMARY KEY a SOURCE(FILE(path '/etc/passwd' format CSV)) LAYOUT(FLAT()) LIFETIME(0)",
        "CREATE DICTIONARY d (a String EXPRESSION file('x')) PRIMARY KEY a SOURCE(NULL()) LAYOUT(FLAT())",
        "CREATE TABLE x ENGINE = File(CSV, '/etc/passwd')",
        "CREATE TABLE x (a Int32) ENGINE = `File`(CSV, '/etc/passwd')",
        "CREATE TABLE x (a Int32) ENGINE URL('http://127.0.0.1/', CSV)",
        "CREATE TABLE x (a Int32) ENGINE = Merge(system, '.*')",
        'CREATE TABLE x (a Int32) ENGINE = Buffer(millrace, schema_migrations, 1, 1, 1, 1, 1, 1, 1)',
        'CREATE TABLE x (a Int32) ENGINE = Dictionary(d)',
        "CREATE TABLE x AS file('/etc/passwd', CSV)",
        'CREATE TABLE x (a Int32) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local)',
        "CREATE DATABASE x ENGINE = Filesystem('/')",
        "CREATE DATABASE x ENGINE = PostgreSQL('h', 'd', 'u', 'p')",
        "INSERT INTO FUNCTION file('/tmp/x', 'CSV', 'a Int32') VALUES (1)",
        "INSERT INTO TABLE FUNCTION null('a Int32') VALUES (1)",
        "INSERT INTO mine FROM INFILE '/etc/passwd' FORMAT CSV",
        'CREATE NAMED COLLECTION c AS a = 1',
        "CREATE USER x IDENTIFIED BY 'y'",
        'CREATE WINDOW VIEW v AS SELECT 1',
        'CREATE LIVE VIEW v AS SELECT 1',
        'CREATE TEMPORARY TABLE x (a Int32)',
        'CREATE VIEW v DEFINER = x SQL SECURITY DEFINER AS SELECT 1',
        'CREATE VIEW v AS SELECT * FROM system.stack_trace',
        'INSERT INTO mine SELECT * FROM system.users',
        'ALTER TABLE mine FREEZE',
        "ALTER TABLE mine FETCH PARTITION 1 FROM '/x'",
        "ALTER TABLE mine MOVE PARTITION 1 TO DISK 'x'",
        'ALTER TABLE mine ATTACH PARTITION 1',
        'ALTER TABLE mine DETACH PARTITION 1',
        'ALTER TABLE v MODIFY QUERY SELECT 1',
        'DROP FUNCTION f',
        'DROP USER x',
      ]),
    ).toEqual([]);
    // A table function has its place in a SELECT.
    expect(await verdict('CREATE TABLE x AS numbers(3)')).toBe('unknown');
    await expect(judge.write('ALTER TABLE mine ADD 1')).rejects.toThrow(/failed at position 22 \(1\)/);
  });
});

describe("Millrace's own database", () => {
  it('knows the tables and views that migrations make', () => {
    expect([...ownTables()]).toEqual(expect.arrayContaining(['steps', 'trajectories', 'schema_migrations', 'tool_usage']));
    expect(ownTables().has('mine')).toBe(false);
  });

  it('takes rows, indices and comments, and nothing that destroys it', async () => {
    const destructive = [...ownTables()].flatMap((table) => [
      `DROP TABLE ${table}`,
      `DROP TABLE IF EXISTS \`${table}\` SYNC`,
      `DROP TABLE nothing, millrace.${table}`,
      `DROP TABLE IF EXISTS database, ${table}`,
      `DROP TABLE IF EXISTS all, cluster, ${table}`,
      `DROP VIEW "millrace"."${table}"`,
      `TRUNCATE ${table}`,
      `TRUNCATE TABLE IF EXISTS millrace.${table}`,
      `RENAME TABLE ${table} TO x`,
      `RENAME TABLE mine TO x, ${table} TO y`,
      `EXCHANGE TABLES mine AND ${table}`,
      `CREATE OR REPLACE TABLE ${table} (a Int32) ENGINE = Memory`,
      `CREATE OR REPLACE VIEW ${table} AS SELECT 1`,
      `ALTER TABLE ${table} DROP COLUMN job`,
      `ALTER TABLE ${table} ADD COLUMN x Int8, COMMENT COLUMN job 'x'`,
      `ALTER TABLE millrace.${table} MODIFY TTL now()`,
      `ALTER TABLE ${table} DROP PARTITION 'x'`,
      `ALTER TABLE ${table} DELETE WHERE 1`,
      `DELETE FROM ${table} WHERE 1`,
      `UPDATE ${table} SET job = '' WHERE 1`,
    ]);
    expect(
      await getThrough([
        ...destructive,
        'DROP DATABASE millrace',
        'DROP DATABASE IF EXISTS `millrace` SYNC',
        'TRUNCATE DATABASE millrace',
        "TRUNCATE ALL TABLES FROM millrace LIKE '%'",
        'TRUNCATE TABLES FROM millrace',
        'RENAME DATABASE millrace TO x',
        'RENAME DATABASE x TO millrace',
        'DETACH DATABASE millrace',
        'DETACH TABLE steps',
        "ALTER DATABASE millrace MODIFY COMMENT 'x'",
        'DROP DATABASE system',
        "INSERT INTO schema_migrations VALUES (99, 'x', true, now())",
      ]),
    ).toEqual([]);
    expect(await verdict('DROP TABLE {t:Identifier}', { t: 'steps' })).toBe('refused');
    expect(await verdict('DROP TABLE {d:Identifier}.{t:Identifier}', { d: 'millrace', t: 'steps' })).toBe('refused');
    expect(await verdict('DROP DATABASE {d:Identifier}', { d: 'millrace' })).toBe('refused');
    expect((await judge.write('DROP TABLE steps', { database: 'other' })).refused).toBeUndefined();
    for (const sql of [
      "INSERT INTO steps (job) VALUES ('j')",
      'ALTER TABLE steps ADD INDEX i tool TYPE set(10)',
      "ALTER TABLE steps COMMENT COLUMN job 'x'",
      'OPTIMIZE TABLE steps FINAL',
      'CREATE TABLE IF NOT EXISTS steps (a Int32) ENGINE = Memory',
    ])
      expect(await verdict(sql), sql).toBe('passed');
  });

  it('runs nothing of the writer with its inserts, and takes no rows but inserted ones', async () => {
    const view = 'CREATE MATERIALIZED VIEW';
    expect(
      await getThrough([
        `${view} v ENGINE = Memory AS SELECT throwIf(1) AS a FROM steps`,
        `${view} millrace.v TO mine AS SELECT job AS s, 1 AS n FROM \`millrace\`.\`steps\``,
        `${view} v ENGINE = Memory AS SELECT a FROM (SELECT count() AS a FROM (SELECT * FROM trajectories))`,
        `${view} v ENGINE = Memory AS WITH x AS (SELECT job FROM job_events) SELECT job FROM x`,
        `${view} v ENGINE = Memory AS SELECT 1 AS a FROM mine UNION ALL SELECT 1 AS a FROM steps`,
        `${view} refresh ENGINE = Memory AS SELECT job FROM steps AS refresh`,
        `${view} v TO steps AS SELECT * FROM steps WHERE 0`,
        `${view} v TO schema_migrations AS SELECT 99 AS version FROM mine`,
        `${view} v TO millrace.schema_migrations AS SELECT 99 AS version FROM mine`,
        `${view} to TO "steps" AS SELECT * FROM mine`,
        `${view} v REFRESH EVERY 1 SECOND TO steps AS SELECT * FROM steps WHERE 0`,
        'CREATE INDEX i ON steps (throwIf(1)) TYPE minmax',
        'ALTER TABLE steps ADD INDEX i throwIf(length(job) > 0) TYPE minmax',
        'ALTER TABLE millrace.job_events ADD INDEX i toUInt8(job) TYPE set(10)',
        'ALTER TABLE steps ADD INDEX i (job, sleep(3)) TYPE minmax',
        'ALTER TABLE steps ADD INDEX a job TYPE minmax, ADD INDEX b toInt8(job) TYPE minmax',
        'ALTER TABLE steps ADD INDEX i job TYPE tokenbf_v1(268435456, 9, 0)',
        'OPTIMIZE TABLE steps FINAL DEDUPLICATE',
        'OPTIMIZE TABLE millrace.steps FINAL CLEANUP',
      ]),
    ).toEqual([]);
    expect(await verdict(`${view} v ENGINE = Memory AS SELECT 1 AS a FROM {t:Identifier}`, { t: 'steps' })).toBe('refused');
    expect(await verdict(`${view} v TO {t:Identifier} AS SELECT * FROM mine`, { t: 'steps' })).toBe('refused');
    const elsewhere = await judge.write(`${view} v ENGINE = Memory AS SELECT 1 AS a FROM steps`, { database: 'other' });
    expect(elsewhere.refused).toBeUndefined();
    for (const sql of [
      `${view} v REFRESH EVERY 1 MINUTE ENGINE = Memory AS SELECT job, count() AS c FROM steps GROUP BY job`,
      `${view} v REFRESH AFTER 1 HOUR TO mine AS SELECT job AS s, 1 AS n FROM steps`,
      'CREATE INDEX i ON steps (job, tool) TYPE bloom_filter(0.01)',
    ])
      expect(await verdict(sql), sql).toBe('passed');
  });

  it('says what it is about', async () => {
    const intents = [
      ['DROP TABLE IF EXISTS a, b.c SYNC', 'DROP TABLE', ['a', 'b.c']],
      ['create or replace table d.x (a Int8) engine = Memory', 'CREATE TABLE', ['d.x']],
      ['CREATE MATERIALIZED VIEW IF NOT EXISTS v TO mine AS SELECT 1', 'CREATE MATERIALIZED VIEW', ['v']],
      ['ALTER TABLE `m t` ADD COLUMN a Int8', 'ALTER TABLE', ['m t']],
      ['RENAME TABLE a TO b, c TO d', 'RENAME TABLE', ['a', 'b', 'c', 'd']],
      ['DELETE FROM a.b WHERE 1', 'DELETE', ['a.b']],
      ['CREATE INDEX i ON a.b (x) TYPE minmax', 'CREATE INDEX', ['a.b']],
      ['OPTIMIZE TABLE a FINAL', 'OPTIMIZE TABLE', ['a']],
    ] as const;
    for (const [sql, kind, names] of intents) {
      const { intent, refused } = await judge.write(sql);
      const targets = intent.targets.map(({ database, table }) => [database, table].filter(Boolean).join('.'));
      expect({ kind: intent.kind, targets, refused }, sql).toEqual({ kind, targets: names, refused: undefined });
    }
  });
});

describe('the writer', () => {
  it('keeps what writers do', async () => {
    for (const sql of [
      'CREATE DATABASE other',
      'CREATE TABLE other.x (id UInt64 CODEC(Delta, ZSTD(1)), at DateTime DEFAULT now()) ENGINE = ReplacingMergeTree(at) PARTITION BY toYYYYMM(at) ORDER BY id TTL at + INTERVAL 1 MONTH SETTINGS index_granularity = 1024',
      'CREATE TABLE x AS mine',
      "CREATE TABLE x (a Enum8('a' = 1), b Nested(c Int8), d AggregateFunction(sum, Int64), e LowCardinality(Nullable(String))) ENGINE MergeTree() ORDER BY tuple()",
      "INSERT INTO mine VALUES ('a', 1), ('b', -2)",
      "INSERT INTO mine VALUES (upper('a'), 1) (lower('B'), 2)",
      'INSERT INTO mine (s, n) VALUES (DEFAULT, 1)',
      'INSERT INTO mine WITH x AS (SELECT 1 AS a) SELECT toString(a), a FROM x',
      'INSERT INTO mine SELECT toString(number), number FROM numbers(10) SETTINGS max_threads = 1',
      "ALTER TABLE mine ADD COLUMN a Int8 DEFAULT 1 AFTER s, MODIFY COLUMN n Int32, DROP COLUMN b, UPDATE s = 'x' WHERE n = 1",
      'ALTER TABLE mine MODIFY SETTING merge_with_ttl_timeout = 100',
      "ALTER TABLE mine DROP PARTITION 'a'",
      'DELETE FROM mine WHERE n = 1',
      'TRUNCATE TABLE mine',
      'EXCHANGE TABLES mine AND x',
      'DROP DATABASE other',
    ])
      expect(await verdict(sql), sql).toBe('passed');
  });
});

describe('what was made before', () => {
  it('is not read when it could not be made today, and can be dropped', async () => {
    const { engine } = judge;
    await engine.run("CREATE VIEW peeking AS SELECT file('/etc/hostname') AS f");
    await engine.run("CREATE VIEW applying AS SELECT * APPLY(file) FROM (SELECT '/etc/hostname' AS f)");
    await engine.run('CREATE VIEW behind AS SELECT * FROM peeking');
    await engine.run('CREATE VIEW a_behind AS SELECT * FROM behind');
    await engine.run('CREATE TABLE outside (a String) ENGINE = File(CSV)');
    await engine.run('CREATE VIEW `good one` AS SELECT upper(s) AS u FROM mine');
    await engine.run(
      'CREATE MATERIALIZED VIEW counted ENGINE = SummingMergeTree ORDER BY s AS SELECT s, count() AS c FROM mine GROUP BY s',
    );
    await engine.run('CREATE MATERIALIZED VIEW hooked ENGINE = Memory AS SELECT throwIf(1) AS a FROM steps');
    await engine.run('CREATE MATERIALIZED VIEW fresh REFRESH EVERY 1 HOUR ENGINE = Memory AS SELECT count() AS c FROM steps');
    const ask = async (sql: string): Promise<string[][]> =>
      Buffer.from((await engine.sessions.run({ sql })).bytes)
        .toString()
        .trim()
        .split('\n')
        .map((line) => line.split('\t'));
    const found = await findDistrusted(engine.judge, ask);
    expect([...found.keys()].sort()).toEqual(
      ['a_behind', 'applying', 'behind', 'hooked', 'outside', 'peeking'].map((name) => `millrace.${name}`),
    );
    engine.judge.distrust(found);
    for (const sql of [
      'SELECT * FROM peeking',
      'SELECT 1 WHERE 1 IN millrace.applying',
      'SELECT * FROM outside',
      'DESCRIBE TABLE peeking',
      'SELECT * FROM a_behind',
    ])
      expect((await judge.read(sql))?.message, sql).toMatch(/^millrace\.\w+ is not read: .*\. Drop it$/);
    const merged = "SELECT * FROM merge(millrace, '^peeking$')";
    expect((await judge.read(merged))?.message).toMatch(/^merge\(\) could read millrace\.\w+, which is not read/);
    expect(await judge.read('SELECT * FROM `good one`, counted, fresh')).toBeUndefined();
    expect(await verdict('INSERT INTO mine SELECT f, 1 FROM peeking')).toBe('refused');
    expect(await verdict('DROP VIEW peeking')).toBe('passed');
    engine.judge.distrust(new Map());
    expect(await judge.read(merged)).toBeUndefined();
  });
});
