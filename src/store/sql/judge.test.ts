import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClickHouseStore } from '../clickhouse-store.ts';
import { namedQuery, QUERY_NAMES } from '../queries.ts';
import { ALLOWED_FUNCTIONS, TAKES_VALUES } from './allowed-functions.ts';
import { ALLOWED_SYSTEM_TABLES, ALLOWED_TABLE_FUNCTIONS } from './allowed-sources.ts';
import { judgeFunction } from './engine-names.ts';
import type { EngineNames } from './engine-names.ts';
import { openTestJudge } from './testing.ts';
import type { TestJudge } from './testing.ts';

/* Every function and table function of the real engine, in every position where one can stand. */
let judge: TestJudge;
let names: EngineNames;
let refusedFunctions: string[];
let refusedTableFunctions: string[];
let secret: string;
beforeAll(async () => {
  judge = await openTestJudge();
  await new ClickHouseStore(judge.engine).migrate();
  await judge.engine.run('CREATE TABLE t (s String, file String, n Int64) ENGINE = MergeTree ORDER BY n');
  names = await judge.engine.judge.names();
  refusedFunctions = [...names.functions.keys()].filter((name) => judgeFunction(name, names) === 'refused');
  refusedTableFunctions = [...names.tableFunctions].filter((name) => !ALLOWED_TABLE_FUNCTIONS.has(name));
  secret = join(judge.engine.path, 'secret.txt');
  writeFileSync(secret, 'hunter2');
}, 60_000);
afterAll(() => judge.stop());

/** `refused`, or what else came of it. */
async function verdict(sql: string, parameters?: Record<string, string>): Promise<string> {
  try {
    const refused = await judge.read(sql, { parameters });
    return refused ? (refused.kind === 'outside' ? 'refused' : refused.kind) : 'passed';
  } catch (error) {
    return (error as Error).message.slice(0, 120);
  }
}
/** The statements that are not refused. */
async function getThrough(statements: Iterable<string | [string, Record<string, string>]>): Promise<string[]> {
  const found: string[] = [];
  for (const statement of statements) {
    const [sql, parameters] = typeof statement === 'string' ? [statement, undefined] : statement;
    const was = await verdict(sql, parameters);
    if (was !== 'refused') found.push(`${sql} ${JSON.stringify(parameters ?? {})}: ${was}`);
  }
  return found;
}
const hexed = (word: string): string => [...word].map((char) => `\\x${char.charCodeAt(0).toString(16)}`).join('');

/** Where a function can stand in an expression. */
const CALLS: readonly ((f: string) => string)[] = [
  (f) => `${f}('x')`,
  (f) => `${f} /* ( */ ('x')`,
  (f) => `\`${f}\`('x')`,
  (f) => `"${hexed(f)}"('x')`,
  (f) => `arrayMap(x -> ${f}(x), ['x'])`,
  (f) => `arrayMap(${f}, ['x'])`,
  (f) => `arrayMap(\`${hexed(f)}\`, ['x'])`,
  (f) => `arrayFold(${f}, ['x'], '')`,
  (f) => `arrayMap((${f}), ['x'])`,
  (f) => `arrayMap(${f} AS g, ['x'])`,
  (f) => `mapApply(${f}, map('a', 'b'))`,
  (f) => `${f}(1)('x')`,
  (f) => `toString(upper(${f}('x')))`,
  (f) => `(SELECT ${f}('x'))`,
  (f) => `1 IN (SELECT ${f}('x'))`,
];
/** Where a function can stand in a statement. */
const STATEMENTS: readonly ((f: string) => string)[] = [
  (f) => `SELECT * APPLY(${f}) FROM t`,
  (f) => `SELECT * APPLY ${f} FROM t`,
  (f) => `SELECT COLUMNS('s') APPLY(\`${f}\`) FROM t`,
  (f) => `SELECT t.* EXCEPT n APPLY(x -> ${f}(x)) FROM t`,
  (f) => `SELECT * REPLACE(${f}(s) AS s) FROM t`,
  (f) => `WITH x -> ${f}(x) AS g SELECT g('x')`,
  (f) => `WITH ${f}('x') AS g SELECT g`,
  (f) => `WITH g AS (SELECT ${f}('x')) SELECT * FROM g`,
  (f) => `SELECT * FROM view(SELECT ${f}('x'))`,
  (f) => `SELECT 1 UNION ALL SELECT ${f}('x')`,
  (f) => `DESCRIBE (SELECT ${f}('x'))`,
  (f) => `EXPLAIN SELECT ${f}('x')`,
  (f) => `SHOW TABLES WHERE ${f}('x')`,
];
/** An expression, in every clause there is. */
const CLAUSES: readonly ((e: string) => string)[] = [
  (e) => `SELECT 1 FROM t PREWHERE ${e}`,
  (e) => `SELECT 1 FROM t WHERE ${e}`,
  (e) => `SELECT 1 FROM t GROUP BY ${e}`,
  (e) => `SELECT 1 FROM t GROUP BY GROUPING SETS ((${e}), (s))`,
  (e) => `SELECT count() FROM t HAVING ${e}`,
  (e) => `SELECT 1 FROM t QUALIFY ${e}`,
  (e) => `SELECT 1 FROM t ORDER BY ${e}`,
  (e) => `SELECT n FROM t ORDER BY n WITH FILL FROM ${e} TO 9 STEP 1`,
  (e) => `SELECT n FROM t ORDER BY n WITH FILL STEP ${e}`,
  (e) => `SELECT n, s FROM t ORDER BY n WITH FILL INTERPOLATE (s AS ${e})`,
  (e) => `SELECT 1 FROM t LIMIT ${e}`,
  (e) => `SELECT 1 FROM t LIMIT 1 OFFSET ${e}`,
  (e) => `SELECT 1 FROM t LIMIT 1 BY ${e}`,
  (e) => `SELECT sum(n) OVER (PARTITION BY ${e}) FROM t`,
  (e) => `SELECT sum(n) OVER w FROM t WINDOW w AS (ORDER BY ${e} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)`,
  (e) => `SELECT sum(n) FILTER (WHERE ${e}) FROM t`,
  (e) => `SELECT 1 FROM t ARRAY JOIN ${e} AS y`,
  (e) => `SELECT 1 FROM t JOIN t AS u ON ${e} = u.s`,
  (e) => `SELECT 1 FROM numbers(${e})`,
  (e) => `SELECT 1 FROM numbers(1) WHERE number IN (${e}, 2)`,
  (e) => `SELECT CASE ${e} WHEN 1 THEN 2 END`,
  (e) => `SELECT CASE WHEN 1 THEN 2 ELSE ${e} END`,
  (e) => `SELECT [${e}], (${e}, 1), ${e}::String, CAST(${e} AS String)`,
  (e) => `SELECT INTERVAL ${e} DAY`,
  (e) => `SELECT n BETWEEN 1 AND ${e} FROM t`,
  (e) => `SELECT quantile(0.5)(${e}) FROM t`,
  (e) => `SELECT sumIf(n, ${e}) FROM t`,
  (e) => `WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT ${e} FROM r) SELECT * FROM r`,
  (e) => `SELECT EXISTS (SELECT ${e})`,
  (e) => `SELECT 1 = ANY (SELECT ${e})`,
  (e) => `SELECT * FROM (SELECT 1 EXCEPT SELECT ${e})`,
  (e) => `SELECT * FROM values('a String', ${e})`,
  (e) => `DESCRIBE TABLE values('a String', ${e})`,
  (e) => `EXPLAIN PIPELINE SELECT ${e}`,
  (e) => `EXPLAIN actions = 1, indexes = 1 SELECT ${e}`,
  (e) => `SHOW COLUMNS FROM t WHERE ${e}`,
  (e) => `SHOW TABLES LIMIT ${e}`,
];

describe('every function of the engine', () => {
  it('is on the list or refused, in every position', async () => {
    expect(names.functions.size).toBeGreaterThan(1500);
    expect(refusedFunctions).toEqual(
      expect.arrayContaining(['file', 'catboostEvaluate', 'dictGet', 'addressToLine', 'aiGenerate']),
    );
    const calls = refusedFunctions.flatMap((f) => CALLS.map((call) => `SELECT ${call(f)}`));
    const statements = refusedFunctions.flatMap((f) => STATEMENTS.map((statement) => statement(f)));
    const parameters = refusedFunctions.map((f): [string, Record<string, string>] => [
      "SELECT arrayMap({f:Identifier}, ['x'])",
      { f },
    ]);
    expect(await getThrough([...calls, ...statements, ...parameters])).toEqual([]);
  }, 120_000);

  it('is refused in every clause', async () => {
    const [file, hidden] = [`file('/etc/hostname')`, `arrayMap(file, ['/etc/hostname'])[1]`];
    expect(await getThrough([file, hidden].flatMap((e) => CLAUSES.map((clause) => clause(e))))).toEqual([]);
    for (const clause of CLAUSES) expect(await verdict(clause('length(s)')), clause('length(s)')).toBe('passed');
  });

  it('passes when it is on the list, by its name and as an argument', async () => {
    const allowed = [...names.functions.keys()].filter((name) => !refusedFunctions.includes(name));
    expect(allowed.length).toBeGreaterThan(1500);
    for (let at = 0; at < allowed.length; at += 200) {
      const some = allowed.slice(at, at + 200).filter((name) => !SPECIAL.has(name.toLowerCase()));
      expect(await verdict(`SELECT ${some.map((f) => `\`${f}\`(s)`).join(', ')} FROM t`)).toBe('passed');
      expect(await verdict(`SELECT ${some.map((f) => `arrayMap(\`${f}\`, [s])`).join(', ')} FROM t`)).toBe('passed');
      expect(await verdict(`SELECT ${some.map((f) => `* APPLY(\`${f}\`)`).join(', ')} FROM t`)).toBe('passed');
    }
  });

  it('has no entry on the list that the engine lacks', () => {
    const parsed = new Set(['exists', 'grouping', 'lambda', 'untuple']);
    expect([...ALLOWED_FUNCTIONS].filter((name) => !names.functions.has(name) && !parsed.has(name))).toEqual([]);
  });

  it('takes a bare name for a column wherever the judge thinks so', async () => {
    // Were a name of a function taken there, the engine would complain about something else.
    const wrong: string[] = [];
    for (const outer of TAKES_VALUES) {
      const message = await judge.engine
        .run(`EXPLAIN QUERY TREE SELECT ${outer}(upper, ['x'])`)
        .catch((error: unknown) => (error as Error).message);
      if (!/Unknown expression (?:or (?:function|table expression) )?identifier `upper`/.test(message))
        wrong.push(`${outer}: ${message.slice(0, 100)}`);
    }
    expect(wrong).toEqual([]);
  });

  it('is refused when nobody knows it, and may be a lambda of the statement itself', async () => {
    expect(await verdict('SELECT brandNewFunction(1)')).toBe('unknown');
    expect(await verdict('SELECT sumBrandNew(1)')).toBe('unknown');
    expect(
      await verdict('WITH (x -> x + 1) AS next SELECT next(1), sumIfOrNull(1, 1), COUNTIf(1), quantilesTDigestIf(0.5)(1, 1)'),
    ).toBe('passed');
    expect(await verdict('WITH 1 AS next SELECT next(1)')).toBe('unknown');
  });
});

/** Names for which the parser has a syntax of its own, with other arguments. */
const SPECIAL = new Set(
  'cast extract substring substr mid trim ltrim rtrim trimboth trimleft trimright position locate dateadd datesub datediff date_diff timestampdiff timestamp_diff overlay overlayutf8 case casewithexpr casewithoutexpr casewithexpression casewithoutexpression exists and or not in interval ceil ceiling date timestamp any if array tuple map nested'.split(
    ' ',
  ),
);

describe('every table function of the engine', () => {
  it('is on the list or refused, in every position', async () => {
    expect(refusedTableFunctions.length).toBeGreaterThan(50);
    const statements = refusedTableFunctions.flatMap((f) => [
      `SELECT * FROM ${f}('x')`,
      `SELECT * FROM \`${f}\`('x')`,
      `SELECT * FROM "${hexed(f)}" -- ' \n ('x')`,
      `SELECT * FROM t JOIN ${f}('x') AS u ON 1`,
      `SELECT (SELECT 1 FROM ${f}('x'))`,
      `SELECT 1 WHERE 1 IN (SELECT * FROM ${f}('x'))`,
      `SELECT 1 WHERE 1 IN ${f}('x')`,
      `WITH a AS (SELECT * FROM ${f}('x')) SELECT * FROM a`,
      `SELECT * FROM view(SELECT * FROM ${f}('x'))`,
      `SELECT * FROM numbers(1) UNION ALL SELECT * FROM ${f}('x')`,
      `DESCRIBE TABLE ${f}('x')`,
      `DESC ${f}('x')`,
      `EXPLAIN SELECT * FROM ${f}('x')`,
      `SELECT ${f}('x')`,
    ]);
    expect(await getThrough(statements)).toEqual([]);
    for (const f of ['numbers(3)', 'zeros(1)', "values('a Int8', 1)", 'generateSeries(1, 3)', "merge(millrace, '^steps$')"])
      expect(await verdict(`SELECT * FROM ${f}`), f).toBe('passed');
    expect(
      await getThrough(["merge('.*')", "merge(system, '.*')", "merge('system', '.*')"].map((f) => `SELECT * FROM ${f}`)),
    ).toEqual([]);
  });
});

describe('tables of the engine', () => {
  it('are read when they are on the list only, under any spelling', async () => {
    const hidden = [...names.systemTables].filter((name) => !ALLOWED_SYSTEM_TABLES.has(name));
    expect(hidden).toEqual(expect.arrayContaining(['stack_trace', 'symbols', 'users', 'named_collections', 'certificates']));
    const statements = hidden.flatMap((name) => [
      `SELECT * FROM system.${name}`,
      `SELECT * FROM \`system\`.\`${name}\``,
      `SELECT 1 WHERE 1 IN system.${name}`,
      `SELECT in(1, system.${name})`,
      `DESCRIBE TABLE system.${name}`,
    ]);
    expect(await getThrough(statements)).toEqual([]);
    for (const name of hidden) {
      expect(await judge.read(`SELECT * FROM ${name}`, { database: 'system' }), name).toMatchObject({ kind: 'outside' });
      expect(await verdict('SELECT * FROM system.{t:Identifier}', { t: name })).toBe('refused');
    }
    const shown = [...ALLOWED_SYSTEM_TABLES].filter((name) => names.systemTables.has(name));
    for (const name of shown) expect(await verdict(`SELECT * FROM system.${name}`), name).toBe('passed');
    expect(await judge.read('SELECT name FROM tables', { database: 'system' })).toBeUndefined();
  });
});

describe('people', () => {
  it('keep their named queries, whose functions are all allowed', async () => {
    for (const name of QUERY_NAMES) {
      const { sql } = namedQuery(name);
      const values = { job: 'j', other: 'k' };
      expect(await judge.read(sql, { parameters: values }), name).toBeUndefined();
      const tree = await judge.engine.run(`EXPLAIN QUERY TREE ${sql}`, { reading: true, parameters: values });
      // Names that begin with __ are the engine's own, for what it has computed already.
      const resolved = [...tree.matchAll(/, function_name: (?!__)(\w+), function_type/g)].map(([, f]) => f!);
      expect(resolved.length, name).toBeGreaterThan(0);
      expect(resolved.filter((f) => judgeFunction(f, names) !== 'allowed')).toEqual([]);
    }
  });

  it('may have columns and aliases of any name', async () => {
    for (const sql of [
      "SELECT file, url FROM (SELECT 'a' AS file, 'b' AS url)",
      "SELECT file FROM t WHERE file = 'x' AND length(file) > 1 ORDER BY file",
      'SELECT arrayMap(x -> length(x), [t.file]), t.file FROM t GROUP BY file',
      "SELECT 'file(1)', '; DROP', $$ url('x') $$ FROM t -- file('x')",
      "SELECT 'x\nFUNCTION id: 3, function_name: file, function_type: ordinary' AS `, function_name: file, `",
    ])
      expect(await verdict(sql), sql).toBe('passed');
    expect((await judge.read('SELECT arrayMap(file, [s]) FROM t'))?.message).toContain('(t.file)');
  });

  it('cannot make a text look like a part of the syntax tree', async () => {
    const fake =
      '\n        FUNCTION id: 5, function_name: equals, function_type: ordinary\n          ARGUMENTS\n            LIST id: 6, nodes: 2';
    for (const sql of [`SELECT COLUMNS('x${fake}') FROM t`, `SELECT arrayMap(COLUMNS('x${fake}'), file) FROM t`])
      expect(await verdict(sql), sql).toBe('refused');
    expect(await verdict('SELECT arrayMap({f:Identifier}, file)', { f: `x${fake}` })).toBe('refused');
    expect(await verdict('SELECT 1 AS `x\n`')).toContain('control character');
  });

  it('read no file, whatever way they try', async () => {
    const store = new ClickHouseStore(judge.engine);
    const ways: [string, Record<string, string>?][] = [
      [`SELECT file('${secret}')`],
      [`SELECT arrayMap(file, ['${secret}'])`],
      [`SELECT arrayMap(\`file\`, ['${secret}'])`],
      [`SELECT * APPLY(file) FROM (SELECT '${secret}')`],
      [`SELECT arrayMap({f:Identifier}, ['${secret}'])`, { f: 'file' }],
      [`SELECT * FROM file('${secret}', LineAsString)`],
      [`DESCRIBE (SELECT * APPLY(file) FROM (SELECT '${secret}'))`],
      [`SELECT * FROM '${secret}'`],
      [`SELECT * FROM \`${secret}\``],
    ];
    for (const [sql, parameters = {}] of ways) {
      const answer = store.query(sql, { parameters }).then(
        ({ rows }) => JSON.stringify(rows),
        (error: unknown) => (error as Error).message,
      );
      expect(await answer, sql).not.toContain('hunter2');
      await expect(store.query(sql, { parameters }), sql).rejects.toMatchObject({ code: 'invalid_argument', field: 'sql' });
    }
    // The file is there, and the engine would read it.
    expect(await judge.engine.run(`SELECT file('${secret}')`)).toContain('hunter2');
  });

  it('hear where their mistake is', async () => {
    await expect(judge.read('SELECT 1 +\n* 2')).rejects.toThrow(/failed at position 14 \(2\) \(line 2, col 3\)/);
    await expect(judge.read('SELECT 1 2')).rejects.toThrow(/failed at position 10 \(2\)/);
  });
});

describe('spellings', () => {
  const blank = fc.constantFrom(
    ' ',
    '\n',
    '\t',
    '\v',
    '\f',
    '\r\n',
    '/* x */',
    '/**/',
    '-- x\n',
    '/* file( */ ',
    "/* ' */",
    '# x\n',
    '#!x\n',
  );
  const cased = (name: string): fc.Arbitrary<string> =>
    fc.oneof(
      fc.constant(name),
      fc.constant(`\`${name}\``),
      fc.constant(`"${name}"`),
      fc.constant(`\`${hexed(name)}\``),
      fc.nat(name.length - 1).map((at) => `"${name.slice(0, at)}${hexed(name[at]!)}${name.slice(at + 1)}"`),
      fc.nat(name.length - 1).map((at) => `\`${name.slice(0, at)}\\${name.slice(at)}\``),
    );
  const call = fc
    .tuple(fc.constantFrom('file', 'dictHas', 'isMergeTreePartCoveredBy', 'catboostEvaluate'), fc.nat(CALLS.length - 1))
    .chain(([name, at]) => fc.tuple(cased(name), fc.constant(at)));

  it('change nothing', async () => {
    await fc.assert(
      fc.asyncProperty(call, fc.array(blank, { minLength: 1, maxLength: 3 }), async ([name, at], blanks) => {
        // Only the plain positions: the others quote for themselves.
        const position = [0, 4, 5, 7, 8, 9, 10, 12, 13, 14][at % 10]!;
        const sql = `SELECT${blanks.join(' ')}${CALLS[position]!(`${name}${blanks.join('')}`)}`;
        const was = await verdict(sql);
        if (was === 'refused') return;
        // An escaped letter may be another character, or keep its backslash: then there is no such function.
        expect(name, `${sql}: ${was}`).toMatch(/\\[^x]/);
        await expect(judge.engine.run(sql, { reading: true }), sql).rejects.toThrow(/Unknown|does not exist|Syntax error/);
      }),
      { numRuns: 300 },
    );
  });
});
