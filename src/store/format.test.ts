import { describe, expect, it } from 'vitest';
import { formatTable } from './format.ts';
import { parseResult } from './result.ts';

describe('formatTable', () => {
  const columns = [
    { name: 'tool', type: 'String' },
    { name: 'calls', type: 'UInt64' },
  ];

  it('aligns texts to the left and numbers to the right', () => {
    const rows = [
      ['find_user', 12],
      ['calculate', 3],
    ];
    expect(formatTable({ columns, rows, truncated: false })).toBe(
      ['tool       calls', '---------  -----', 'find_user     12', 'calculate      3'].join('\n'),
    );
  });

  it('cuts the widest column to the width, and says when rows are missing', () => {
    const lines = formatTable({ columns, rows: [['x'.repeat(200), 1]], truncated: true }, { maxWidth: 40 }).split('\n');
    expect(lines[2]).toBe(`${'x'.repeat(32)}…      1`);
    expect(lines[3]).toBe('(only the first 1 rows)');
  });

  it('prints any value on one line', () => {
    const table = formatTable({
      columns,
      rows: [
        ['a\n b', { k: [1] }],
        [null, true],
      ],
      truncated: false,
    });
    expect(table.split('\n').slice(2)).toEqual(['a b   {"k":[1]}', '      true']);
  });

  it('prints nothing without columns, and only the head without rows', () => {
    expect(formatTable({ columns: [], rows: [], truncated: false })).toBe('');
    expect(formatTable({ columns, rows: [], truncated: false })).toBe('tool  calls\n----  -----');
  });
});

describe('parseResult', () => {
  it('makes 64-bit integers numbers where a number holds them, and leaves others alone', async () => {
    const printed = '["n","big","text"]\n["UInt64","Nullable(Int64)","String"]\n["7","9007199254740993","12"]\n["1",null,"x"]\n';
    expect(await parseResult(printed, 10)).toEqual({
      columns: [
        { name: 'n', type: 'UInt64' },
        { name: 'big', type: 'Nullable(Int64)' },
        { name: 'text', type: 'String' },
      ],
      rows: [
        [7, '9007199254740993', '12'],
        [1, null, 'x'],
      ],
      truncated: false,
    });
  });

  it('lets others have their turn while it reads much, and cuts at the row it is told to', async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 0);
    const row = `[${JSON.stringify('x'.repeat(1024 * 1024))}]\n`;
    const { rows, truncated } = await parseResult(`["a"]\n["String"]\n${row.repeat(20)}`, 18);
    clearInterval(timer);
    expect([rows.length, truncated]).toEqual([18, true]);
    // A slice is 2 MiB.
    expect(turns).toBeGreaterThanOrEqual(6);
  });

  it('refuses a row that would hold up everybody', async () => {
    const row = JSON.stringify(['x'.repeat(9 * 1024 * 1024)]);
    await expect(parseResult(`["a"]\n["String"]\n[""]\n${row}\n`, 10)).rejects.toMatchObject({
      code: 'resource_exhausted',
      message: expect.stringMatching(/^row 2 has 94\d+ characters, more than 8388608; ask for parts of it/) as string,
    });
  });
});
