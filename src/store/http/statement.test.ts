import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClickHouseException } from './exception.ts';
import { MAX_TOKENS, sqlTokens } from '../sql/lexer.ts';
import { clausesOf, MAX_SETTINGS } from './clauses.ts';
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
      return found && [found.sql, found.format, found.settings, Buffer.from(sql).subarray(found.dataAt).toString()];
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

const blank = fc.constantFrom(' ', '\n', '\t', '  ', '/* x */', '/**/', '-- x\n', '/* file( */ ');
const text = fc.string({ maxLength: 12 }).map((value) => `'${value.replaceAll(/[\\']/g, '\\$&').replaceAll('\0', '')}'`);

describe('the guard of the port', () => {
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
    expect(checkSettings(given, rules).settings).toEqual({ max_threads: '3', max_execution_time: '600' });
    for (const value of ['0', '-1', 'x', '', 'Infinity', '1e99']) {
      expect(checkSettings([['max_execution_time', value]], rules).settings).toEqual({ max_execution_time: '600' });
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

describe('clausesOf', () => {
  /** How often tokens are looked at while the clauses of a statement are read. */
  const looks = (sql: string): number => {
    let count = 0;
    const tokens = new Proxy(sqlTokens(sql), {
      get(target, key, receiver) {
        if (typeof key === 'string' && /^\d+$/.test(key)) count += 1;
        return Reflect.get(target, key, receiver) as unknown;
      },
    });
    try {
      clausesOf(tokens);
    } catch (error) {
      expect(error).toMatchObject({ message: expect.stringContaining(`may have ${MAX_SETTINGS} settings`) as string });
    }
    return count;
  };

  it('looks at each token a bounded number of times', () => {
    for (const [head, piece, tail] of [
      ['SELECT 1 SETTINGS ', 'a = 1, ', 'b = 2'],
      ['SELECT 1 SETTINGS ', 'a = 1, ', '+'],
      ['SELECT 1 ', 'SETTINGS a = 1 ', ''],
      ['SELECT 1 ', 'SETTINGS a = 1 ', ')'],
      ['SELECT 1 ', 'SETTINGS ', '= 1'],
      ['SELECT 1 SETTINGS a = {', "'x': 'y', ", ''],
      ['SELECT 1 SETTINGS ', 'settings = settings, ', 'a = 1'],
      ['SELECT 1 ', 'FORMAT a ', ''],
    ] as const) {
      const count = (n: number): number => looks(`${head}${piece.repeat(n)}${tail}`);
      expect(count(4_000), piece).toBeLessThan(4.5 * count(1_000));
    }
  });

  it('stops at a bound that it names', () => {
    const many = (n: number): string =>
      `SELECT 1 SETTINGS ${Array.from({ length: n }, (_, i) => `max_threads = ${i}`).join(', ')}`;
    expect(refused(many(MAX_SETTINGS))).toBeUndefined();
    expect(refused(many(MAX_SETTINGS + 1))?.message).toBe(`A statement may have ${MAX_SETTINGS} settings.`);
    expect(refused(many(60_000))?.message).toContain(`a statement may have ${MAX_TOKENS} tokens`);
    expect(refused(`INSERT INTO t SETTINGS ${'a = 1, '.repeat(60_000)}b = 1 FORMAT CSV`, true)).toMatchObject({ code: 62 });
  });
});
