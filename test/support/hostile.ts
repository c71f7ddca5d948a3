import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import fc from 'fast-check';

/** JSON text of lists in lists. */
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

const TEXTS = [
  ...['', ' ', '0', '-1', 'null', 'true', '[]', '{}', '{', '"', 'NaN', 'undefined', '[object Object]'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '{"__proto__": {"flow": "/x"}}',
    '{"constructor": {"prototype": 1}}',
  ],
  ...['../../etc/passwd', '/etc/passwd', '/\0', 'a\0b', '\r\nX: y', '%s%n', '${7*7}', "'; DROP TABLE steps; --"],
  ...['\u202Ejob', 'ｊｏｂ', 'Ⅷ', 'İ', 'a\u0301', '\uFEFFjob', '\u200B', '👩‍👩‍👧‍👦', '\uFFFF', '\uD800', 'job\uDFFF'],
  ...[
    '1e400',
    '-0',
    '9'.repeat(400),
    '0x10',
    '２０２６-０１',
    '2026-13',
    '* * * * *',
    '*/0 * * * *',
    '0 0 30 2 *',
    'Mars/Olympus',
  ],
  ...['job@-1', 'job@99999999999999999999', '@', 'job@', 'nobody', 'NOBODY', 'a'.repeat(41), '-a', 'a.b', 'a>b', 'a *'],
  ...[
    nested(5_000),
    'x'.repeat(20_000),
    '漢'.repeat(5_000),
    '🙂'.repeat(5_000),
    `{"${'k'.repeat(5_000)}": 1}`,
    `{"${'鍵'.repeat(3_000)}": 1}`,
  ],
];

/** Texts that have broken programs. */
const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 50 }) },
  { weight: 1, arbitrary: fc.uuid() },
);

const NUMBERS = [0, -0, 1, -1, 0.5, 1e21, -1e21, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 2, 1e308, 5e-324];

/** JSON values of every kind, some of them large or deep. */
export const hostileJson: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom<unknown>(null, true, false, ...NUMBERS, [], {}, [[]], [null], { '': '' }),
  fc
    .constantFrom(nested(3_000), `{"__proto__": ${nested(50)}}`, '{"constructor": null}')
    .map((text) => JSON.parse(text) as unknown),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Values of text fields, by their names in messages: what is wanted there more often than not, so that other fields are looked at. */
export type Usual = Readonly<Record<string, fc.Arbitrary<string>>>;

/** A message of a type with any of its fields, each with a value that its type on the wire can hold. */
export function hostileMessage(schema: DescMessage, usual: Usual = {}, depth = 2): fc.Arbitrary<Record<string, unknown>> {
  const fields = schema.fields.flatMap((field): [string, fc.Arbitrary<unknown>][] => {
    const strange = fieldValue(field, usual, depth);
    if (strange === undefined) return [];
    const good = usual[field.localName];
    const value = good === undefined ? strange : fc.oneof({ weight: 4, arbitrary: good }, { weight: 1, arbitrary: strange });
    if (field.oneof !== undefined && !field.oneof.name.startsWith('_'))
      return [[field.oneof.localName, value.map((inner) => ({ case: field.localName, value: inner }))]];
    return [[field.localName, value]];
  });
  const wanted = Object.fromEntries(fields);
  const given = Object.keys(wanted).filter((name) => Object.hasOwn(usual, name));
  return fc.record(wanted, { requiredKeys: given });
}

function fieldValue(field: DescField, usual: Usual, depth: number): fc.Arbitrary<unknown> | undefined {
  switch (field.fieldKind) {
    case 'scalar':
      return scalar(field.scalar);
    case 'enum':
      return fc.constantFrom(-1, 0, 1, 99, 2 ** 31 - 1);
    case 'message':
      return depth === 0 ? undefined : hostileMessage(field.message, usual, depth - 1);
    case 'map':
      return undefined;
    case 'list': {
      const entry =
        field.listKind === 'scalar'
          ? scalar(field.scalar)
          : field.listKind === 'message' && depth > 0
            ? hostileMessage(field.message, usual, depth - 1)
            : undefined;
      return (
        entry &&
        fc.oneof(
          fc.array(entry, { maxLength: 3 }),
          entry.map((one) => Array.from({ length: 200 }, () => one)),
        )
      );
    }
  }
}

const INTEGERS = { 32: [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 7], unsigned32: [0, 1, 7, 2 ** 31, 2 ** 32 - 1] };

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      // What cannot be encoded in UTF-8 does not leave the client.
      return hostileText.map((text) => text.toWellFormed());
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 50 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return fc.constantFrom(...[0, -0, 1, -1, 0.5, 1e30, NaN, Infinity, -Infinity]);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.constantFrom(0n, 1n, 2n ** 53n, 2n ** 64n - 1n);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.constantFrom(0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n));
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.constantFrom(...INTEGERS.unsigned32);
    default:
      return fc.constantFrom(...INTEGERS[32]);
  }
}

/** An object as JSON, with one value anywhere in it that is something else, or one more. */
export function hostileVariant(object: object): fc.Arbitrary<string> {
  const places = placesIn(object, []);
  const other = fc.constantFrom(...places, ['__proto__'], ['constructor'], ['more']);
  return fc.tuple(other, hostileJson).map(([place, value]) => JSON.stringify(replaced(object, place, value)));
}

function placesIn(value: unknown, path: string[]): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return [
    ...(path.length === 0 ? [] : [path]),
    ...Object.entries(value).flatMap(([key, inside]) => placesIn(inside, [...path, key])),
  ];
}

function replaced(at: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const copy: object = Array.isArray(at) ? [...(at as unknown[])] : { ...(at as object) };
  const inside = rest.length === 0 ? value : replaced((at as Record<string, unknown>)[key], rest, value);
  // Also `__proto__` as a key of its own.
  return Object.defineProperty(copy, key, { value: inside, enumerable: true, configurable: true, writable: true });
}
