import type { GateResult } from './gates.ts';

/** A number with at most `digits` decimals and thousands set apart. */
export function number(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** Bytes in the unit that keeps the number short. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10)));
  return `${number(value / 1024 ** power, power === 0 ? 0 : 1)} ${units[power]}`;
}

/** Plain text in columns; the first is set to the left, the others to the right. */
export function columns(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length)));
  return all.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  ')
      .trimEnd(),
  );
}

/** The gates with what was measured, one a line. */
export function gateLines(results: readonly GateResult[]): string[] {
  const rows = results.map(({ figure, operator, bound, measured, kept }) => [
    figure,
    `${operator} ${number(bound, 3)}`,
    measured === undefined ? 'not measured' : number(measured, 3),
    kept ? 'pass' : 'FAIL',
  ]);
  return columns(['gate', 'bound', 'measured', ''], rows);
}
