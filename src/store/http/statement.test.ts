import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClickHouseException } from './exception.ts';
import { checkSettings } from './settings.ts';
import { parseInsertHead, parseStatement } from './statement.ts';

const read = (sql: string): ReturnType<typeof parseStatement> => parseStatement(sql, false);
const refused = (sql: string, mayWrite = false): ClickHouseException | undefined => {
  try {
    if (!parseInsertHead(sql, mayWrite)) parseStatement(sql, mayWrite);
    return undefined;
  } catch (error) {
    if (error instanceof ClickHouseException) return error;
    throw error;
  }
};

describe('parseStatement', () => {
  it.each([
    ['SELECT 1', 'SELECT 1', undefined, []],
    ['SELECT 1;', 'SELECT 1', undefined, []],
    ['-- why\nSELECT 1 FORMAT JSON -- how', 'SELECT 1', 'JSON', []],
    [
      "SELECT a FROM t SETTINGS a = 1, b = 'x''y', c = -2 FORMAT CSV;",
      'SELECT a FROM t',
      'CSV',
      [
        ['a', '1'],
        ['b', "x'y"],
        ['c', '-2'],
      ],
    ],
    ['SELECT 1 FORMAT TSV SETTINGS a = 1', 'SELECT 1', 'TSV', [['a', '1']]],
    [
      'SELECT 1 SETTINGS a = 1 FORMAT TSV SETTINGS b = true',
      'SELECT 1',
      'TSV',
      [
        ['a', '1'],
        ['b', 'true'],
      ],
    ],
    ["SELECT 'x FORMAT JSON'", "SELECT 'x FORMAT JSON'", undefined, []],
    ["SELECT format('{}', 1) AS `format` FROM (SELECT 1)", "SELECT format('{}', 1) AS `format` FROM (SELECT 1)", undefined, []],
    ['SHOW SETTINGS', 'SHOW SETTINGS', undefined, []],
    [
      "SELECT 1 settings f={'t' : ' a = \\'x\\' '}, b=2",
      'SELECT 1',
      undefined,
      [
        ['f', "{ 't' : ' a = \\'x\\' ' }"],
        ['b', '2'],
      ],
    ],
  ])('%s', (sql, kept, format, settings) => {
    expect(read(sql)).toMatchObject({ kind: 'read', sql: kept, format, settings });
  });

  it('names its parameters', () => {
    const sql = "SELECT {a: String}, {`b`:Array(UInt8)}, '{c:Int8}', map('d', 1), {a:Int8} /* {e:Int8} */";
    expect(read(sql).placeholders).toEqual(['a', 'b']);
  });

  it('finds where the rows of an INSERT begin', () => {
    const head = (sql: string): unknown => {
      const found = parseInsertHead(Buffer.from(sql).toString('latin1'), true);
      return found && [found.into, found.format, found.settings, Buffer.from(sql).subarray(found.dataAt).toString()];
    };
    expect(head('INSERT INTO t FORMAT CSV\n1,"\n')).toEqual(['INSERT INTO t', 'CSV', [], '1,"\n']);
    expect(head('insert into `d`.`é` (a, `format`) settings x = 1 format JSONEachRow {"a":"\'"}')).toEqual([
      'insert into `d`.`é` (a, `format`)',
      'JSONEachRow',
      [['x', '1']],
      '{"a":"\'"}',
    ]);
    expect(head('INSERT INTO t VALUES (1)')).toBeUndefined();
    expect(head('INSERT INTO t SELECT 1')).toBeUndefined();
    expect(head('SELECT 1')).toBeUndefined();
  });
});

/** What must never get through, whoever asks. */
const OUTSIDE = [
  'file',
  'url',
  's3',
  'remote',
  'executable',
  'mysql',
  'hdfs',
  'urlCluster',
  'icebergS3',
  'aiGenerate',
  'hasColumnInTable',
  'input',
];

const blank = fc.constantFrom(' ', '\n', '\t', '  ', '/* x */', '/**/', '-- x\n', '/* file( */ ');
const cased = (word: string): fc.Arbitrary<string> =>
  fc
    .array(fc.boolean(), { minLength: word.length, maxLength: word.length })
    .map((up) => [...word].map((char, i) => (up[i] ? char.toUpperCase() : char.toLowerCase())).join(''));
const hexed = (word: string): string => [...word].map((char) => `\\x${char.charCodeAt(0).toString(16)}`).join('');
const outsideName = fc.constantFrom(...OUTSIDE).chain((name) =>
  fc.oneof(
    cased(name),
    cased(name).map((text) => `\`${text}\``),
    cased(name).map((text) => `"${text}"`),
    fc.constant(`\`${hexed(name)}\``),
    fc.constant(`"${name.slice(0, 1)}${hexed(name.slice(1))}"`),
  ),
);
const text = fc.string({ maxLength: 12 }).map((value) => `'${value.replaceAll(/[\\']/g, '\\$&')}'`);
const outsideCall = fc
  .tuple(outsideName, fc.array(blank, { maxLength: 3 }), text)
  .map(([name, blanks, value]) => `${name}${blanks.join('')}(${value})`);
/** Ways to put a table into a statement that only reads. */
const nested = (table: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(table, text, blank)
    .chain(([inner, literal, space]) =>
      fc.constantFrom(
        `SELECT * FROM ${inner}`,
        `SELECT${space}(SELECT 1 FROM${space}${inner})`,
        `WITH x AS (SELECT * FROM ${inner}) SELECT ${literal} FROM x`,
        `SELECT ${literal}, * FROM numbers(1) AS n, ${inner}`,
        `SELECT 1 WHERE 1 IN (SELECT 1 FROM view(SELECT * FROM ${inner}))`,
        `SELECT 1 UNION ALL (SELECT 1 FROM ${inner}) FORMAT JSON`,
        `EXPLAIN SELECT * FROM ${inner}`,
        `DESCRIBE TABLE ${inner}`,
        `SELECT ${inner} SETTINGS max_threads = 1`,
        `SELECT 'a'' -- ', * FROM ${inner} -- '`,
        `SELECT $$ ' $$, * FROM ${inner}`,
        `SELECT 1 /* ' */ FROM ${inner} /* ' */`,
        `SELECT "\\"", * FROM ${inner}`,
      ),
    );

describe('the guard of the port', () => {
  it('lets no function through that reaches out, however it is written and wherever it stands', () => {
    fc.assert(
      fc.property(nested(outsideCall), (sql) => {
        expect(refused(sql), sql).toMatchObject({ code: 497 });
      }),
      { numRuns: 500 },
    );
  });

  it('lets no second statement through, and none that writes', () => {
    const verbs = fc.constantFrom(
      'INSERT INTO t VALUES (1)',
      'DROP TABLE t',
      'SYSTEM SHUTDOWN',
      'SET a = 1',
      "ATTACH TABLE t FROM '/'",
      'KILL QUERY WHERE 1',
      'TRUNCATE t',
      'CREATE TABLE t (a Int8) ENGINE = Memory',
    );
    const joined = fc.tuple(
      fc.constantFrom(
        '',
        'SELECT 1;',
        '(SELECT 1);',
        "SELECT ';';",
        '/* ; */',
        '-- ;\n',
        ';',
        '(',

        'EXPLAIN ',
      ),
      blank,
      verbs,
    );
    fc.assert(
      fc.property(joined, ([before, space, verb]) => {
        expect(refused(`${before}${space}${verb}`), `${before}${space}${verb}`).toBeDefined();
      }),
      { numRuns: 300 },
    );
    expect(refused("SELECT 1 INTO OUTFILE '/tmp/x' FORMAT CSV")).toBeDefined();
    expect(refused("SELECT 1 FORMAT CSV INTO OUTFILE '/tmp/x'")).toBeDefined();
  });

  it('never fails otherwise than with a ClickHouse exception', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'SELECT',
        'FORMAT',
        'SETTINGS',
        'INSERT INTO',
        'a',
        '=',
        '1',
        ',',
        '(',
        ')',
        "'",
        '`',
        '"',
        '{',
        '}',
        ':',
        ';',
        '/*',
        '*/',
        '--',
        '\n',
        '$$',
        '\\',
        'JSON',
        '.',
      ),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), fc.boolean(), (pieces, mayWrite) => {
        const error = refused(pieces.join(' '), mayWrite);
        if (error) expect(error.code).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps what it lets through as it was', () => {
    fc.assert(
      fc.property(text, fc.constantFrom('JSON', 'CSV', undefined), (literal, format) => {
        const sql = `SELECT ${literal} AS x`;
        expect(read(format ? `${sql} FORMAT ${format}` : sql)).toMatchObject({ sql, format });
      }),
    );
  });
});

describe('checkSettings', () => {
  const known = new Set(['max_threads', 'format_schema', 'dialect', 'readonly', 'final', 'max_execution_time']);
  const rules = { known, bounds: { max_execution_time: 600 }, mayWrite: false };

  it('passes the harmless ones on, within bounds, and leaves aside what is of the request', () => {
    const given: [string, string][] = [
      ['query', 'x'],
      ['param_a', '1'],
      ['enable_http_compression', '1'],
      ['max_threads', '3'],
      ['max_execution_time', '9999'],
      ['readonly', '1'],
    ];
    expect(checkSettings(given, rules)).toEqual({ max_threads: '3', max_execution_time: '600' });
    for (const value of ['0', '-1', 'x', '', 'Infinity', '1e99']) {
      expect(checkSettings([['max_execution_time', value]], rules)).toEqual({ max_execution_time: '600' });
    }
  });

  it('refuses the others, for writers too where they reach out', () => {
    expect(() => checkSettings([['nope', '1']], rules)).toThrow(expect.objectContaining({ code: 115 }));
    expect(() => checkSettings([['readonly', '0']], rules)).toThrow(expect.objectContaining({ code: 164 }));
    for (const name of ['format_schema', 'dialect']) {
      for (const mayWrite of [false, true]) {
        expect(() => checkSettings([[name, 'x']], { ...rules, mayWrite })).toThrow(expect.objectContaining({ code: 164 }));
      }
    }
  });
});
