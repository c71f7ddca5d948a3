import { types } from 'node:util';

/** What stands for whatever was left out: at the end of a text, as an entry of a list, as the name and value of a member. */
const LEFT_OUT = '…';

const MARK = JSON.stringify(LEFT_OUT);
/** In bytes. Whatever is written has this much room at least: a mark. */
const MARK_BYTES = 5;
/** Kept for the brackets and for what says that a list or an object goes on: `,"…"` and `,"…":"…"`. */
const [LIST_BYTES, OBJECT_BYTES] = [2 + 6, 2 + 12];
/** Bytes that an entry takes when all of it is left out. */
const ENTRY_BYTES = 1 + MARK_BYTES;

/** Levels of lists and objects; what lies deeper is left out. */
const DEEPEST = 16;
/** Properties of one object that are looked at: those that JSON leaves out take no bytes. */
const MOST_PROPERTIES = 10_000;

/** What is left while a value is written. */
interface Writing {
  /** Bytes that may still be written. */
  left: number;
  /** Objects around the one that is written. */
  above: object[];
}

/**
 * JSON of a value in at most `maxBytes` bytes of UTF-8 (at least 16): of a larger one the beginning, always valid JSON, with `…` where
 * something was left out. Never throws, whatever the value is: what throws when it is read, contains itself or has no JSON form is
 * shown as a text in brackets. Not-a-number, infinities and BigInts become texts, Maps lists of pairs, Sets lists; of typed arrays the
 * numbers are shown. Each property is read once, and nothing is read that does not fit.
 */
export function boundedJson(value: unknown, maxBytes: number): string {
  return written(value, { left: Math.max(16, maxBytes), above: [] }) ?? 'null';
}

/** JSON of a value; undefined where JSON has none. */
function written(value: unknown, writing: Writing): string | undefined {
  switch (typeof value) {
    case 'string':
      return textWithin(value, writing);
    case 'number':
      return charged(Number.isFinite(value) ? String(value) : `"${value}"`, writing);
    case 'boolean':
      return charged(value ? 'true' : 'false', writing);
    case 'bigint':
      return bigIntWithin(value, writing);
    case 'object':
      return value === null ? charged('null', writing) : guarded(value, writing);
    default:
      return undefined;
  }
}

/** What an object throws is shown in its place; the rest of the value is written all the same. */
function guarded(value: object, writing: Writing): string {
  const { above, left } = writing;
  const depth = above.length;
  if (above.includes(value)) return textWithin('[contains itself]', writing);
  if (depth >= DEEPEST) return charged(MARK, writing);
  above.push(value);
  try {
    return objectWithin(value, writing);
  } catch (thrown) {
    writing.left = left;
    return textWithin(problem(thrown), writing);
  } finally {
    above.length = depth;
  }
}

function objectWithin(value: object, writing: Writing): string {
  if (Array.isArray(value)) return listWithin(value, value.length, writing);
  if (types.isTypedArray(value)) return listWithin(value, value.length, writing);
  if (types.isMap(value) || types.isSet(value)) return sequenceWithin(value, writing);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON !== 'function') return membersWithin(value, writing);
  const given: unknown = toJSON.call(value);
  return given === value ? membersWithin(value, writing) : (written(given, writing) ?? charged('null', writing));
}

function membersWithin(value: object, writing: Writing): string {
  if (writing.left < OBJECT_BYTES) return charged(MARK, writing);
  writing.left -= OBJECT_BYTES;
  let json = '';
  const names = Object.keys(value);
  for (let i = 0; i < names.length; i += 1) {
    const before = writing.left;
    // A name is never cut: it could become the name of another member.
    const name = i < MOST_PROPERTIES && names[i]!.length < before ? quoted(names[i]!) : undefined;
    // With comma and colon, and room for the value.
    const bytes = name === undefined ? Infinity : Buffer.byteLength(name) + 2;
    if (bytes + MARK_BYTES > before) return `{${json}${json === '' ? '' : ','}${MARK}:${MARK}}`;
    writing.left -= bytes;
    const member = propertyWithin(value, names[i]!, writing);
    if (member === undefined) writing.left = before;
    else json += json === '' ? `${name}:${member}` : `,${name}:${member}`;
  }
  writing.left += OBJECT_BYTES - 2;
  return `{${json}}`;
}

function listWithin(list: ArrayLike<unknown>, length: number, writing: Writing): string {
  if (writing.left < LIST_BYTES) return charged(MARK, writing);
  writing.left -= LIST_BYTES;
  let json = '';
  for (let i = 0; i < length; i += 1) {
    if (writing.left < ENTRY_BYTES) return `[${json}${json === '' ? '' : ','}${MARK}]`;
    writing.left -= 1;
    const entry = propertyWithin(list, i, writing) ?? charged('null', writing);
    json += json === '' ? entry : `,${entry}`;
  }
  writing.left += LIST_BYTES - 2;
  return `[${json}]`;
}

function sequenceWithin(values: Iterable<unknown>, writing: Writing): string {
  if (writing.left < LIST_BYTES) return charged(MARK, writing);
  writing.left -= LIST_BYTES;
  let json = '';
  for (const value of values) {
    if (writing.left < ENTRY_BYTES) return `[${json}${json === '' ? '' : ','}${MARK}]`;
    writing.left -= 1;
    const entry = written(value, writing) ?? charged('null', writing);
    json += json === '' ? entry : `,${entry}`;
  }
  writing.left += LIST_BYTES - 2;
  return `[${json}]`;
}

function propertyWithin(of: object, name: string | number, writing: Writing): string | undefined {
  let property: unknown;
  try {
    property = (of as Record<string | number, unknown>)[name];
  } catch (thrown) {
    return textWithin(problem(thrown), writing);
  }
  return written(property, writing);
}

/** A text is cut before it is quoted: one of megabytes costs no more than what is kept of it. */
function textWithin(text: string, writing: Writing): string {
  if (text.length + 2 <= writing.left && isPlain(text)) {
    writing.left -= text.length + 2;
    return `"${text}"`;
  }
  // A character takes a byte at least.
  let kept = text.length > writing.left ? text.slice(0, writing.left) : text;
  let json = quoted(kept);
  let bytes = Buffer.byteLength(json);
  if (kept === text && bytes <= writing.left) {
    writing.left -= bytes;
    return json;
  }
  const room = writing.left - MARK_BYTES;
  while (bytes - 2 > room) {
    // Escapes and characters of several bytes: as much shorter as it is too long, and one at least.
    kept = kept.slice(0, Math.min(kept.length - 1, Math.floor((kept.length * Math.max(0, room)) / (bytes - 2))));
    json = quoted(kept);
    bytes = Buffer.byteLength(json);
  }
  writing.left -= bytes - 2 + MARK_BYTES;
  return `${json.slice(0, -1)}${LEFT_OUT}"`;
}

/** Short, and printable ASCII without quotes and backslashes, as names and words of states are: JSON of it is a look at each character. */
const isPlain = (text: string): boolean => text.length <= 64 && /^[ !#-[\]-~]*$/.test(text);

/** A lone surrogate is no character: UTF-8 and ClickHouse have none. */
const quoted = (text: string): string => (isPlain(text) ? `"${text}"` : JSON.stringify(text.toWellFormed()));

/** A BigInt may have millions of digits; to write them down takes more than time in proportion. */
function bigIntWithin(value: bigint, writing: Writing): string {
  const fits = BigInt.asIntN(3 * writing.left, value) === value;
  return textWithin(fits ? String(value) : '[a large BigInt]', writing);
}

/** ASCII that is written as it is, or left out. */
function charged(json: string, writing: Writing): string {
  const fits = json !== MARK && json.length <= writing.left;
  writing.left -= fits ? json.length : MARK_BYTES;
  return fits ? json : MARK;
}

/** What was thrown, in a few words; whatever that is. */
function problem(thrown: unknown): string {
  let message = '';
  try {
    message = String(types.isNativeError(thrown) ? thrown.message : thrown).slice(0, 60);
  } catch {
    // It throws as well.
  }
  return message === '' ? '[throws]' : `[throws: ${message}]`;
}
