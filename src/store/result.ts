import { nextTurn } from '../clock/turn.ts';
import { MillraceError } from '../errors.ts';
import type { QueryResult } from './store.ts';

const BIG_INTEGER = /^(?:Nullable\(|LowCardinality\(|SimpleAggregateFunction\(\w+, )*U?Int(?:64|128|256)\)*$/;

/** A row longer than this is refused: to read it would hold up everybody else. It is far more than an answer over gRPC can carry. */
const LONGEST_ROW = 8 * 1024 * 1024;
/** Characters that are read in one go before others get their turn. */
const SLICE = 2 * 1024 * 1024;

/**
 * Reads JSONCompactEachRowWithNamesAndTypes, a slice at a time. 64-bit integers come quoted: they become numbers where a number holds
 * them exactly, and stay strings where not. At most `maxRows` rows are kept. Throws `resource_exhausted` for a row of more than 8 MiB.
 */
export async function parseResult(printed: string, maxRows: number): Promise<QueryResult> {
  const lines = linesOf(printed);
  const head = (): string[] => JSON.parse(lines.next().value ?? '[]') as string[];
  const [names, types] = [head(), head()];
  const columns = names.map((name, index) => ({ name, type: types[index] ?? '' }));
  const big = types.flatMap((type, index) => (BIG_INTEGER.test(type) ? [index] : []));
  const rows: unknown[][] = [];
  let read = 0;
  for (const line of lines) {
    if (rows.length === maxRows) return { columns, rows, truncated: true };
    if (line.length > LONGEST_ROW) {
      const rule = `row ${rows.length + 1} has ${line.length} characters, more than ${LONGEST_ROW}`;
      throw new MillraceError('resource_exhausted', `${rule}; ask for parts of it, or use the ClickHouse port`, { field: 'sql' });
    }
    const row = JSON.parse(line) as unknown[];
    for (const index of big) row[index] = exactNumber(row[index]);
    rows.push(row);
    read += line.length;
    if (read < SLICE) continue;
    read = 0;
    await nextTurn();
  }
  return { columns, rows, truncated: false };
}

/** The lines of a text that are not empty. */
function* linesOf(text: string): Generator<string, undefined, undefined> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    const to = end < 0 ? text.length : end;
    if (to > from) yield text.slice(from, to);
    from = to + 1;
  }
  return undefined;
}

function exactNumber(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
