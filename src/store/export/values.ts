import { MillraceError } from '../../errors.ts';
import type { Kind } from './columns.ts';

/** Longest text, in characters: an export holds a thousand of them in memory. */
const LONGEST_TEXT = 65_536;

/** A value of an interaction that cannot be stored. */
export function wrongValue(field: string, given: unknown, expected: string): MillraceError {
  const got = given === undefined ? 'is missing' : `got ${shown(given)}`;
  return new MillraceError('invalid_argument', `${field}: ${got}, expected ${expected}`, { field });
}

/** The value of a column, read from JSON, as it is in an encoded row. Throws `invalid_argument` with field and what is allowed. */
export function encodeValue(kind: Kind, field: string, given: unknown): unknown {
  switch (kind) {
    case 'text':
      if (typeof given === 'string' && given.length <= LONGEST_TEXT) return wellFormed(given);
      throw wrongValue(
        field,
        given,
        typeof given === 'string' ? `at most ${LONGEST_TEXT} characters, not ${given.length}` : 'a text',
      );
    case 'bool':
      if (typeof given === 'boolean') return given;
      throw wrongValue(field, given, 'true or false');
    case 'uint16':
      return integer(field, given, 0xffff);
    case 'uint32':
      return integer(field, given, 0xffffffff);
    case 'uint64':
      if (typeof given === 'string' && /^(?:0|[1-9]\d{0,19})$/.test(given) && BigInt(given) < 1n << 64n) return given;
      return integer(field, given, Number.MAX_SAFE_INTEGER, ', or its digits as a text up to 2^64 - 1');
    case 'float':
      return float(field, given);
    case 'maybe-float':
      return given === null ? null : float(field, given);
    case 'double':
      return float(field, given, Number.MAX_VALUE);
    case 'time':
      return time(field, given);
    case 'integers':
      if (!Array.isArray(given)) throw wrongValue(field, given, 'an array of whole numbers');
      return given.map((each, index) => integer(`${field}[${index}]`, each, 0xffff));
    case 'texts':
      if (!Array.isArray(given)) throw wrongValue(field, given, 'an array of texts');
      return given.map((each, index) => encodeValue('text', `${field}[${index}]`, each));
    case 'tokens':
      if (!Array.isArray(given)) throw wrongValue(field, given, 'an array of token ids');
      return given.map((each, index) => integer(`${field}[${index}]`, each, 0xffffffff));
    case 'numbers':
      if (!Array.isArray(given)) throw wrongValue(field, given, 'an array of numbers');
      return given.map((each, index) => float(`${field}[${index}]`, each));
    case 'vector':
      return vector(field, given);
    case 'floats':
      return floats(field, given);
  }
}

const integer = (field: string, given: unknown, most: number, or = ''): number => {
  if (typeof given === 'number' && Number.isInteger(given) && given >= 0 && given <= most) return given;
  throw wrongValue(field, given, `a whole number from 0 to ${most}${or}`);
};

const NOT_FINITE: ReadonlySet<unknown> = new Set(['nan', 'inf', '-inf']);
/** The largest number of a Float32, as it may be written with few digits. */
const LARGEST = 3.4028235e38;

/** Columns of floats are Float32: of more digits, the nearest one is kept. */
function float(field: string, given: unknown, largest = LARGEST): number | string {
  if (typeof given === 'string' && NOT_FINITE.has(given)) return given;
  if (typeof given === 'number' && Math.abs(given) <= largest) return given;
  throw wrongValue(field, given, `a number from -${largest} to ${largest}, or "nan", "inf", "-inf"`);
}

function floats(field: string, given: unknown): Record<string, number | string> {
  if (!isObject(given)) throw wrongValue(field, given, 'an object of numbers');
  const entries = Object.entries(given).map(([name, value]) => [wellFormed(name), float(`${field}.${name}`, value)] as const);
  return Object.fromEntries(entries);
}

/** Float32 as base64. */
function vector(field: string, given: unknown): string {
  if (!Array.isArray(given)) throw wrongValue(field, given, 'an array of numbers');
  const values = given.map((each, index) => {
    const value = float(`${field}[${index}]`, each);
    return typeof value === 'number' ? value : { nan: NaN, inf: Infinity, '-inf': -Infinity }[value]!;
  });
  return Buffer.from(Float32Array.from(values).buffer).toString('base64');
}

const TIME = /^(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?(Z|z|[+-]\d{2}:\d{2})$/;
/** What DateTime64 with microseconds can hold, and a year less. */
const LAST_TIME = Date.UTC(2261, 0, 1) * 1000;

/** Microseconds since the epoch; 0 for null. */
function time(field: string, given: unknown): number {
  if (given === null) return 0;
  const expected = 'a time like "2026-11-21T08:00:00.123456Z" from 1970 to 2260, with its zone and at most microseconds, or null';
  const parts = typeof given === 'string' ? TIME.exec(given) : null;
  const seconds = parts ? Date.parse(`${parts[1]!.replace(/[t ]/, 'T')}${parts[3]!.toUpperCase()}`) / 1000 : NaN;
  const micros = seconds * 1e6 + Number((parts?.[2] ?? '').padEnd(6, '0'));
  // Date.parse takes the 30th of February for a day in March.
  const sameDay =
    parts !== null && (parts[3] !== 'Z' || new Date(seconds * 1000).toISOString().startsWith(parts[1]!.slice(0, 10)));
  if (Number.isFinite(micros) && sameDay && micros >= 0 && micros < LAST_TIME) return micros;
  throw wrongValue(field, given, expected);
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** ClickHouse takes no lone surrogates; they become U+FFFD. */
const wellFormed = (text: string): string => (text as string & { toWellFormed(): string }).toWellFormed();

function shown(value: unknown): string {
  const json = JSON.stringify(value);
  return json.length > 60 ? `${json.slice(0, 60)}…` : json;
}
