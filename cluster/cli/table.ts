import Table from 'cli-table3';
import { oneLine } from './format.ts';

const NO_LINES = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((part) => [part, '']),
);

/** Options of {@link table}. */
export interface TableOptions {
  /** Columns (0-based) whose cells are aligned to the right. */
  right?: readonly number[];
  /** Cells longer than this many characters are cut. Default: no limit. */
  maxCell?: number;
}

/** Rows under a header, columns two spaces apart; every cell on one line. Ends with a newline. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const { maxCell = Infinity } = options;
  const rendered = new Table({
    head: [...header],
    chars: { ...NO_LINES, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: header.map((_, i) => (options.right?.includes(i) ? 'right' : 'left')),
  });
  for (const row of rows) rendered.push(row.map((cell) => cut(oneLine(cell), maxCell)));
  return `${rendered
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** Names and values in two columns; values that are empty are left out. */
export function fields(entries: readonly (readonly [name: string, value: string])[]): string {
  const shown = entries.filter(([, value]) => value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
