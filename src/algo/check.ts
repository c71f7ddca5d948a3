/** What the public functions say about their arguments: `invalid_argument` that names the field and what is allowed. */
import { MillraceError } from '../errors.ts';

/** The error for a field. */
export function wrong(field: string, message: string): MillraceError {
  return new MillraceError('invalid_argument', `${field}: ${message}`, { field });
}

/** Every column is an array of as many entries as the first one. */
export function sameLength(columns: Readonly<Record<string, ArrayLike<unknown>>>): void {
  const names = Object.keys(columns);
  for (const name of names) array(name, columns[name]!);
  const first = names[0]!;
  const { length } = columns[first]!;
  for (const name of names) {
    const own = columns[name]!.length;
    if (own !== length) throw wrong(name, `${own} entries for ${length} of ${first}; there must be as many`);
  }
}

/** The value is an array, typed or not. */
export function array(field: string, value: ArrayLike<unknown>): void {
  const is = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  if (!is) throw wrong(field, `an array of numbers is needed, got ${value === null ? 'null' : typeof value}`);
}

/** Every column is an array of finite numbers. */
export function finite(columns: Readonly<Record<string, ArrayLike<number>>>): void {
  for (const [name, values] of Object.entries(columns)) {
    array(name, values);
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i])) throw wrong(`${name}[${i}]`, `a finite number is needed, got ${String(values[i])}`);
    }
  }
}

/** Every column has finite numbers, as many as the first one. */
export function columns(of: Readonly<Record<string, ArrayLike<number>>>): void {
  sameLength(of);
  finite(of);
}

/** The value is one of the words. */
export function oneOf(field: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw wrong(field, `one of ${allowed.join(', ')}, got ${JSON.stringify(value) ?? 'undefined'}`);
}

/** Bounds of {@link inRange}; the number is finite in any case. */
export interface Range {
  /** Smallest value. */
  min?: number;
  /** Largest value. */
  max?: number;
  /** The value is larger than this. */
  above?: number;
  /** The value has no fraction. */
  whole?: boolean;
}

/** The value is a finite number within a range. */
export function inRange(
  field: string,
  value: number,
  { min = -Infinity, max = Infinity, above = -Infinity, whole }: Range = {},
): void {
  if (Number.isFinite(value) && value >= min && value <= max && value > above && !(whole && !Number.isInteger(value))) return;
  const bounds = [
    ...(above > -Infinity ? [`above ${above}`] : []),
    ...(min > -Infinity ? [`at least ${min}`] : []),
    ...(max < Infinity ? [`at most ${max}`] : []),
  ];
  throw wrong(
    field,
    `${[`a ${whole ? 'whole' : 'finite'} number`, bounds.join(' and ')].filter(Boolean).join(' ')} is needed, got ${String(value)}`,
  );
}

/** Entries of every column are within a range. */
export function allInRange(field: string, values: ArrayLike<number>, range: Range): void {
  array(field, values);
  for (let i = 0; i < values.length; i++) inRange(`${field}[${i}]`, values[i]!, range);
}

/** Where sequences begin, and the end of the last one: from 0 to `length`, never back. */
export function boundaries(field: string, start: ArrayLike<number>, length: number): void {
  array(field, start);
  for (let i = 0; i < start.length; i++)
    inRange(`${field}[${i}]`, start[i]!, { min: i === 0 ? 0 : start[i - 1]!, max: length, whole: true });
  const [first, last] = [start[0] ?? 0, start[start.length - 1] ?? 0];
  if (first !== 0 || last !== length) throw wrong(field, `from 0 to the number of decisions, ${length}, got ${first} to ${last}`);
}
