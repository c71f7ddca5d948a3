import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowsAsCsv, rowsAsJson, rowsAsTable } from './rows.ts';

const result = {
  columns: [
    { name: 'tool', type: 'String' },
    { name: 'calls', type: 'UInt64' },
    { name: 'tags', type: 'Array(String)' },
  ],
  rows: [
    ['get "it", now', '12', ['a']],
    ['two\nlines', null, []],
  ],
  truncated: false,
};

describe('rows', () => {
  it('as CSV', () => {
    expect(rowsAsCsv(result)).toBe('tool,calls,tags\r\n"get ""it"", now",12,"[""a""]"\r\n"two\nlines",,[]\r\n');
  });

  it('as JSON, one object a line', () => {
    expect(
      rowsAsJson(result)
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { tool: 'get "it", now', calls: '12', tags: ['a'] },
      { tool: 'two\nlines', calls: null, tags: [] },
    ]);
  });

  it('as a table, numbers to the right and a line for each row', () => {
    expect(rowsAsTable(result)).toBe('tool           calls  tags\nget "it", now     12  ["a"]\ntwo\\nlines            []\n');
  });

  it('CSV can be read back, whatever the cells hold', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', ' ') }), { minLength: 1, maxLength: 4 }),
        (cells) => {
          const columns = cells.map((_, i) => ({ name: `c${i}`, type: 'String' }));
          const text = rowsAsCsv({ columns, rows: [cells], truncated: false });
          expect(readCsv(text)[1]).toEqual(cells);
        },
      ),
    );
  });
});

function readCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  for (let match = cell.exec(text); match; match = cell.exec(text)) {
    rows.at(-1)?.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\r\n') rows.push([]);
  }
  return rows;
}
