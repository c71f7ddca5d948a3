import type { QueryResult } from './store.ts';

const BIG_INTEGER = /^(?:Nullable\(|LowCardinality\(|SimpleAggregateFunction\(\w+, )*U?Int(?:64|128|256)\)*$/;

/**
 * Reads JSONCompactEachRowWithNamesAndTypes. 64-bit integers come quoted: they become numbers where a number holds them
 * exactly, and stay strings where not. At most `maxRows` rows are kept.
 */
export function parseResult(printed: string, maxRows: number): QueryResult {
  const lines = printed.split('\n').filter((line) => line !== '');
  const names = JSON.parse(lines[0] ?? '[]') as string[];
  const types = JSON.parse(lines[1] ?? '[]') as string[];
  const columns = names.map((name, index) => ({ name, type: types[index] ?? '' }));
  const big = types.flatMap((type, index) => (BIG_INTEGER.test(type) ? [index] : []));
  const kept = lines.slice(2, 2 + maxRows);
  const rows = kept.map((line) => {
    const row = JSON.parse(line) as unknown[];
    for (const index of big) row[index] = exactNumber(row[index]);
    return row;
  });
  return { columns, rows, truncated: lines.length - 2 > maxRows };
}

function exactNumber(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
