/** JSON that a schema describes, as a constraint: the part of JSON Schema (draft 2020-12) that a finite automaton can decide. */
import { MillraceError } from '../../errors.ts';
import type { TextTokenizer } from '../tokenizer.ts';
import { END, Pattern, patternConstraint, type StateId } from './automaton.ts';
import type { Constraint } from './constraint.ts';
import { tokenBytes } from './token-bytes.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Keywords that say nothing about what is valid. */
const NOTES = [
  '$schema',
  '$id',
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
];

/** Keywords of each type beside those that every schema may have. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength'],
  integer: ['minimum', 'maximum'],
  number: [],
  boolean: [],
  null: [],
};

/** Digits of an integer: all such numbers are exact as doubles. */
const DIGITS = 15;

/**
 * A constraint to JSON that a schema describes. Fields of objects come in the order of `properties`, optional ones may be left out; nothing but one
 * optional space after `:` and `,` stands between the parts. Integers have at most 15 digits.
 *
 * Supported: `type` (also several), `const`, `enum`, `anyOf`, `properties`, `required`, `additionalProperties: false`, `items`, `minItems`, `maxItems`,
 * `minLength`, `maxLength`, and bounds of integers that allow everything, or all from 0 or 1 on. `invalid_argument` names anything else, with its place.
 */
export function jsonOf(schema: unknown, tokenizer: Pick<TextTokenizer, 'pieces'>): Constraint {
  const pattern = new Pattern();
  const start = new Compiler(pattern).value(schema, 'schema', END);
  return patternConstraint(pattern, start, tokenBytes(tokenizer));
}

class Compiler {
  readonly #pattern: Pattern;

  constructor(pattern: Pattern) {
    this.#pattern = pattern;
  }

  /** A value, then `next`. */
  value(given: unknown, path: string, next: StateId): StateId {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) throw unsupported(path, 'it must be an object');
    const schema = given as Schema;
    if ('const' in schema) return this.#constants(schema, 'const', [schema['const']], { path, next });
    if ('enum' in schema) {
      const values = schema['enum'];
      if (!Array.isArray(values) || values.length === 0)
        throw unsupported(`${path}.enum`, 'it must be a list of at least one value');
      return this.#constants(schema, 'enum', values, { path, next });
    }
    if ('anyOf' in schema) {
      check(schema, path, ['anyOf']);
      const parts = schema['anyOf'];
      if (!Array.isArray(parts) || parts.length === 0)
        throw unsupported(`${path}.anyOf`, 'it must be a list of at least one schema');
      return this.#pattern.either(...parts.map((part, index) => this.value(part, `${path}.anyOf[${index}]`, next)));
    }
    if (schema['type'] === undefined) check(schema, path, ['type', 'const', 'enum', 'anyOf']);
    const types = [schema['type']].flat();
    const known = Object.keys(KEYWORDS);
    for (const type of types) {
      if (typeof type !== 'string' || !known.includes(type)) {
        throw unsupported(`${path}.type`, `it must be one of ${known.join(', ')}, got ${JSON.stringify(type)}`);
      }
    }
    check(schema, path, ['type', ...types.flatMap((type) => KEYWORDS[type as string]!)]);
    return this.#pattern.either(...types.map((type) => this.#typed(type as string, schema, { path, next })));
  }

  #typed(type: string, schema: Schema, { path, next }: { path: string; next: StateId }): StateId {
    const pattern = this.#pattern;
    if (type === 'object') return this.#object(schema, path, next);
    if (type === 'array') return this.#array(schema, path, next);
    if (type === 'string') {
      const { least, most } = bounds(schema, 'Length', path);
      const end = pattern.literal('"', next);
      return pattern.literal(
        '"',
        this.#times((after) => this.#character(after), { least, most }, end),
      );
    }
    if (type === 'integer') return this.#integer(signOf(schema, path), next);
    if (type === 'number') return this.#number(next);
    if (type === 'boolean') return pattern.either(pattern.literal('true', next), pattern.literal('false', next));
    return pattern.literal('null', next);
  }

  #constants(
    schema: Schema,
    keyword: string,
    values: readonly unknown[],
    { path, next }: { path: string; next: StateId },
  ): StateId {
    check(schema, path, [keyword, 'type']);
    return this.#pattern.either(
      ...values.map((value) => {
        const text = JSON.stringify(value) as string | undefined;
        if (text === undefined) throw unsupported(`${path}.${keyword}`, 'a value is not JSON');
        return this.#pattern.literal(text, next);
      }),
    );
  }

  #object(schema: Schema, path: string, next: StateId): StateId {
    if (schema['additionalProperties'] !== undefined && schema['additionalProperties'] !== false) {
      throw unsupported(`${path}.additionalProperties`, 'only false is');
    }
    const properties = Object.entries((schema['properties'] ?? {}) as Schema);
    const required = (schema['required'] ?? []) as readonly string[];
    const unknown = required.find((name) => !properties.some(([own]) => own === name));
    if (unknown !== undefined) throw unsupported(`${path}.required`, `${unknown} is none of the properties`);
    const pattern = this.#pattern;
    const end = pattern.literal('}', next);
    // From the last property on: what may follow where none, or at least one, stands before it.
    let [first, later] = [end, end];
    for (const [name, property] of properties.reverse()) {
      const value = this.value(property, `${path}.properties.${name}`, later);
      const field = pattern.literal(`${JSON.stringify(name)}:`, this.#space(value));
      const [bare, joined] = [field, pattern.literal(',', this.#space(field))];
      const isRequired = required.includes(name);
      [first, later] = isRequired ? [bare, joined] : [pattern.either(bare, first), pattern.either(joined, later)];
    }
    return pattern.literal('{', first);
  }

  #array(schema: Schema, path: string, next: StateId): StateId {
    if (schema['items'] === undefined) throw unsupported(path, 'an array needs items');
    const { least, most } = bounds(schema, 'Items', path);
    const pattern = this.#pattern;
    const end = pattern.literal(']', next);
    if (most === 0) return pattern.literal('[', end);
    const item = (after: StateId): StateId => this.value(schema['items'], `${path}.items`, after);
    const more = (after: StateId): StateId => pattern.literal(',', this.#space(item(after)));
    const rest = this.#times(more, { least: Math.max(0, least - 1), most: most === undefined ? undefined : most - 1 }, end);
    const whole = item(rest);
    return pattern.literal('[', least === 0 ? pattern.either(end, whole) : whole);
  }

  /** A part between `least` and `most` times; undefined: without end. */
  #times(part: (next: StateId) => StateId, { least, most }: { least: number; most: number | undefined }, next: StateId): StateId {
    let state = next;
    if (most === undefined) state = this.#pattern.repeat(part, next);
    else for (let count = least; count < most; count++) state = this.#pattern.either(part(state), next);
    for (let count = 0; count < least; count++) state = part(state);
    return state;
  }

  /** A character of a string: UTF-8 (RFC 3629, section 4), or an escape of one letter. */
  #character(next: StateId): StateId {
    const p = this.#pattern;
    const one = p.range(0x80, 0xbf, next);
    const two = p.range(0x80, 0xbf, one);
    return p.either(
      ...[p.range(0x20, 0x21, next), p.range(0x23, 0x5b, next), p.range(0x5d, 0x7e, next)],
      p.literal('\\', p.either(...['"', '\\', '/', 'b', 'f', 'n', 'r', 't'].map((letter) => p.literal(letter, next)))),
      p.range(0xc2, 0xdf, one),
      ...[p.range(0xe0, 0xe0, p.range(0xa0, 0xbf, one)), p.range(0xe1, 0xec, two)],
      ...[p.range(0xed, 0xed, p.range(0x80, 0x9f, one)), p.range(0xee, 0xef, two)],
      ...[p.range(0xf0, 0xf0, p.range(0x90, 0xbf, two)), p.range(0xf1, 0xf3, p.range(0x80, 0xbf, two))],
      p.range(0xf4, 0xf4, p.range(0x80, 0x8f, two)),
    );
  }

  #integer(sign: 'any' | 'from 0' | 'from 1', next: StateId): StateId {
    const p = this.#pattern;
    const digits = this.#times((after) => p.range(0x30, 0x39, after), { least: 0, most: DIGITS - 1 }, next);
    const positive = p.range(0x31, 0x39, digits);
    if (sign === 'from 1') return positive;
    const natural = p.either(p.literal('0', next), positive);
    return sign === 'from 0' ? natural : p.either(natural, p.literal('-', positive));
  }

  #number(next: StateId): StateId {
    const p = this.#pattern;
    const digit = (after: StateId): StateId => p.range(0x30, 0x39, after);
    const exponent = this.#times(digit, { least: 1, most: 2 }, next);
    const sign = p.either(exponent, p.literal('-', exponent), p.literal('+', exponent));
    const tail = p.either(next, p.literal('e', sign), p.literal('E', sign));
    const whole = p.either(tail, p.literal('.', this.#times(digit, { least: 1, most: DIGITS }, tail)));
    const positive = p.range(0x31, 0x39, this.#times(digit, { least: 0, most: DIGITS - 1 }, whole));
    const natural = p.either(p.literal('0', whole), positive);
    return p.either(natural, p.literal('-', natural));
  }

  #space(next: StateId): StateId {
    return this.#pattern.either(next, this.#pattern.literal(' ', next));
  }
}

/** Refuses keywords that are not known here. */
function check(schema: Schema, path: string, keywords: readonly string[]): void {
  const unknown = Object.keys(schema).find((keyword) => !keywords.includes(keyword) && !NOTES.includes(keyword));
  if (unknown !== undefined) throw unsupported(`${path}.${unknown}`, `known here: ${keywords.join(', ')}`);
}

function bounds(schema: Schema, of: 'Length' | 'Items', path: string): { least: number; most: number | undefined } {
  const [least, most] = [schema[`min${of}`] ?? 0, schema[`max${of}`]] as [number, number | undefined];
  for (const [name, value] of [
    [`min${of}`, least],
    [`max${of}`, most],
  ] as const) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
      throw unsupported(`${path}.${name}`, 'it must be an integer from 0');
  }
  if (most !== undefined && least > most) throw unsupported(`${path}.min${of}`, `it is more than max${of}`);
  return { least, most };
}

function signOf(schema: Schema, path: string): 'any' | 'from 0' | 'from 1' {
  const largest = 10 ** DIGITS - 1;
  const { minimum = -largest, maximum = largest } = schema as { minimum?: number; maximum?: number };
  if (!(maximum >= largest)) throw unsupported(`${path}.maximum`, `only ${largest} or more is; use an enum for few numbers`);
  if (minimum <= -largest) return 'any';
  if (minimum === 0 || minimum === 1) return `from ${minimum}`;
  throw unsupported(`${path}.minimum`, `only 0, 1, and ${-largest} or less are`);
}

function unsupported(path: string, why: string): MillraceError {
  return new MillraceError('invalid_argument', `${path} is not supported: ${why}`, { field: path });
}
