import { describe, expect, it } from 'vitest';
import { guardQuery } from './guard.ts';
import { lex, MAX_DEPTH, MAX_TOKENS, splitStatements, sqlTokens } from './lexer.ts';

describe('guardQuery', () => {
  it.each([
    ['select 1', 'select 1'],
    ['  SELECT 1 ;; ', 'SELECT 1'],
    ['-- a question\nSELECT 1 -- and why', 'SELECT 1'],
    ['SELECT \';DROP TABLE x\', `into`, "format" FROM t', 'SELECT \';DROP TABLE x\', `into`, "format" FROM t'],
    ['(SELECT 1) UNION ALL (SELECT 2)', '(SELECT 1) UNION ALL (SELECT 2)'],
    ['WITH a AS (SELECT 1) SELECT * FROM a', 'WITH a AS (SELECT 1) SELECT * FROM a'],
    ["SELECT 'it''s \\' fine; ok'", "SELECT 'it''s \\' fine; ok'"],
    ['SHOW TABLES', 'SHOW TABLES'],
    ['DESCRIBE steps', 'DESCRIBE steps'],
    ['EXPLAIN SELECT 1', 'EXPLAIN SELECT 1'],
    ['EXISTS TABLE steps', 'EXISTS TABLE steps'],
    ["SELECT file, url FROM (SELECT 'a' AS file, 'b' AS url)", "SELECT file, url FROM (SELECT 'a' AS file, 'b' AS url)"],
    ["SELECT formatDateTime(now(), '%Y'), format('{}', 'x')", "SELECT formatDateTime(now(), '%Y'), format('{}', 'x')"],
  ])('lets %j pass', (sql, out) => {
    expect(guardQuery(sql).sql).toBe(out);
    expect(guardQuery(sql).tokens[0]?.start).toBe(0);
  });

  it.each([
    'SELECT 1; SELECT 2',
    'SELECT 1 /* ; */ ; DROP TABLE steps',
    "SELECT 1 INTO OUTFILE '/tmp/x'",
    'SELECT 1 into /* */ outfile $$/tmp/x$$',
    'SELECT 1 FORMAT Native',
    'EXPLAIN INSERT INTO steps SELECT 1',
    'WITH x AS (SELECT 1) INSERT INTO steps SELECT * FROM x',
    'SET max_threads = 1',
    'SYSTEM SHUTDOWN',
    'KILL QUERY WHERE 1',
    'USE system',
    "ATTACH TABLE x FROM '/tmp'",
    ';',
    '-- nothing',
    '/* SELECT 1 */ DROP TABLE steps',
    "SELECT 'open",
    'SELECT `open',
    'SELECT 1 /* open',
    'SELECT ‘x’',
    'SELECT 1\u00a0\u2212 2',
    'SELECT 1\u00a0',
    'SELECT 1\ufeff',
    'SELECT 1\0',
    "SELECT 'a\0b'",
    'SELECT 1 /* \0 */',
    'SELECT 1 -- \0',
    'SELECT $$\0$$',
    'SELECT `a\nb`',
    'SELECT "a\\nb"',
    'SELECT `a\\x0ab`',
  ])('refuses %j', (sql) => {
    expect(() => guardQuery(sql)).toThrowError(expect.objectContaining({ code: 'invalid_argument', field: 'sql' }) as Error);
  });

  it.each(['SELECT * FROM', 'SELECT count() FROM steps where -- which', 'SELECT 1 +', 'SELECT (', 'SELECT'])(
    'says that %j is not all of a statement',
    (sql) => {
      const last = sql.replace(/ --.*/, '').split(' ').at(-1)!;
      expect(() => guardQuery(sql)).toThrow(`query refused: the statement ends after ${last}; something is missing`);
    },
  );

  it('says what to do', () => {
    expect(() => guardQuery('DROP TABLE steps')).toThrow(/DROP is not allowed; only SELECT/);
    expect(() => guardQuery('SELECT 1 FORMAT JSON')).toThrow(/leave FORMAT out/);
  });
});

describe('splitStatements', () => {
  it('splits at semicolons outside of literals and comments', () => {
    const script = "-- first; not here\nCREATE a ';' ; /* ; */ CREATE `b;` -- x\n;;\n SELECT $tag$ ; $tag$";
    expect(splitStatements(script)).toEqual(["CREATE a ';'", 'CREATE `b;`', 'SELECT $tag$ ; $tag$']);
  });
});

describe('tokenize', () => {
  it('knows words, quoted names, texts, numbers and symbols', () => {
    expect(sqlTokens("a1.`b``c` = 'x' + 1.5e3").map((token) => [token.kind, token.text])).toEqual([
      ['word', 'a1'],
      ['symbol', '.'],
      ['quoted', 'b`c'],
      ['symbol', '='],
      ['string', "'x'"],
      ['symbol', '+'],
      ['number', '1.5e3'],
    ]);
  });

  it('reads names as the engine does', () => {
    const [hex, doubled, escaped, other] = sqlTokens('`f\\x69le` "a""b" `a\\`b` `a""b`');
    expect([hex, doubled, escaped, other].map((token) => token?.text)).toEqual(['file', 'a"b', 'a`b', 'a""b']);
  });

  it('takes about twenty times as long for twenty times as much, whatever it is made of', () => {
    // The best of several runs, each too short to be interrupted every time; a quadratic step would make it four hundred times.
    const cost = (text: string): number => {
      const from = performance.now();
      for (const token of lex(text)) if (token.end < 0) throw new Error('never');
      return performance.now() - from;
    };
    const best = (text: string): number => Math.min(...Array.from({ length: 9 }, () => cost(text)));
    for (const piece of ["a = 'x', ", '/* x */ 1, ', '$a$ x $a$ ', '$ ', '`a` ', '1.5e3 ', '-- x\n1 ', "'\\\\' ", 'x$ ']) {
      best(piece.repeat(3_000));
      expect(best(piece.repeat(12_000)) / best(piece.repeat(600)), piece).toBeLessThan(100);
    }
  });

  it('names its limits', () => {
    expect(sqlTokens('1,'.repeat(MAX_TOKENS / 2))).toHaveLength(MAX_TOKENS);
    expect(() => sqlTokens('1,'.repeat(MAX_TOKENS / 2 + 1))).toThrow(`a statement may have ${MAX_TOKENS} tokens`);
    expect(() => sqlTokens(`SELECT ${'`'.repeat(1_000_000)}`)).toThrow('quoted names may have');
    expect(() => sqlTokens(`SELECT ${'"\\\\", '.repeat(49_000)}`)).toThrow('tokens');
    expect(() => sqlTokens(`SELECT ${`\`${'``'.repeat(5_000)}\`, `.repeat(100)}`)).toThrow('quoted names may have');
    expect(sqlTokens('('.repeat(MAX_DEPTH))).toHaveLength(MAX_DEPTH);
    expect(() => sqlTokens('('.repeat(MAX_DEPTH + 1))).toThrow(`nested too deeply (at most ${MAX_DEPTH})`);
    expect(() => sqlTokens(`${'('.repeat(MAX_DEPTH)}${'1,'.repeat(10_000)}`)).toThrow('nested too deeply');
  });
});
