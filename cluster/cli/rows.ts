import type { QueryResult } from '../../src/store/store.ts';
import { table } from './table.ts';

/** One JSON object a line, by column name. */
export function rowsAsJson({ columns, rows }: QueryResult): string {
  return rows
    .map((row) => `${JSON.stringify(Object.fromEntries(columns.map(({ name }, i) => [name, row[i] ?? null])))}\n`)
    .join('');
}

/** Comma-separated values (RFC 4180: lines end with CR LF) with a header; NULL is empty, arrays and objects are JSON. */
export function rowsAsCsv({ columns, rows }: QueryResult): string {
  const line = (cells: string[]): string => `${cells.map(quoted).join(',')}\r\n`;
  return line(columns.map(({ name }) => name)) + rows.map((row) => line(row.map(cellText))).join('');
}

/** For people: numbers to the right, long values cut. */
export function rowsAsTable({ columns, rows }: QueryResult): string {
  const right = columns.flatMap(({ type }, i) => (/^(Nullable\()?(U?Int|Float|Decimal)/.test(type) ? [i] : []));
  const header = columns.map(({ name }) => name);
  return table(
    header,
    rows.map((row) => row.map(cellText)),
    { right, maxCell: 80 },
  );
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
