import type { QueryResult } from './store.ts';

/** Options of {@link formatTable}. */
export interface FormatOptions {
  /** Characters of a line at most; the widest text columns are cut first. Default 120. */
  maxWidth?: number;
}

const GAP = '  ';
/** No column is cut below this. */
const NARROWEST = 6;

/** Prints a result as aligned plain text, numbers to the right; no trailing newline. */
export function formatTable(result: QueryResult, options: FormatOptions = {}): string {
  const { columns, rows } = result;
  if (columns.length === 0) return '';
  const cells = rows.map((row) => columns.map((_, index) => formatValue(row[index])));
  const numeric = columns.map((_, index) => rows.length > 0 && rows.every((row) => typeof row[index] === 'number'));
  const natural = columns.map(({ name }, index) => Math.max(name.length, ...cells.map((row) => row[index]!.length)));
  const widths = fit(natural, (options.maxWidth ?? 120) - GAP.length * (columns.length - 1));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) =>
        numeric[index] ? cut(cell, widths[index]!).padStart(widths[index]!) : cut(cell, widths[index]!).padEnd(widths[index]!),
      )
      .join(GAP)
      .trimEnd();
  const lines = [line(columns.map(({ name }) => name)), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)];
  if (result.truncated) lines.push(`(only the first ${rows.length} rows)`);
  return lines.join('\n');
}

/** One value on one line. */
function formatValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/\s+/g, ' ');
}

/** Takes from the widest column until the line fits, or no column can give more. */
function fit(natural: readonly number[], room: number): number[] {
  const widths = [...natural];
  let over = widths.reduce((sum, width) => sum + width, 0) - room;
  while (over > 0) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST) break;
    const next = Math.max(NARROWEST, ...widths.filter((width) => width < widest));
    const index = widths.indexOf(widest);
    const take = Math.min(over, Math.max(1, widest - next));
    widths[index] = widest - take;
    over -= take;
  }
  return widths;
}

const cut = (text: string, width: number): string => (text.length > width ? `${text.slice(0, width - 1)}…` : text);
