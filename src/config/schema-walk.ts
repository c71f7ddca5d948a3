import { closest, distance } from 'fastest-levenshtein';
import type { z } from 'zod';

/** Any zod schema, seen through the definitions that its wrappers share. */
export type Schema = z.core.$ZodType;
type Def = z.core.$ZodTypes['_zod']['def'];

const defOf = (schema: Schema): Def => (schema as z.core.$ZodTypes)._zod.def;

/** The schema inside optional, default, prefault and other wrappers. */
function unwrap(schema: Schema): Schema {
  const def = defOf(schema);
  return 'innerType' in def ? unwrap(def.innerType) : schema;
}

/** Sections of which one is chosen by the value of a key, `name` say; undefined for any other schema. */
export function optionsOf(schema: Schema): { key: string; options: readonly Schema[] } | undefined {
  const def = defOf(unwrap(schema));
  return def.type === 'union' && 'discriminator' in def ? { key: String(def.discriminator), options: def.options } : undefined;
}

/**
 * The option that a value chooses: by name, else the open one. The first where it names none, and the schema itself where there
 * is nothing to choose.
 */
export function chosenOption(schema: Schema, value: unknown): Schema {
  const choice = optionsOf(schema);
  if (choice === undefined) return schema;
  const { key, options } = choice;
  const name = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  const named = options.find((option) => namesOf(option, key).includes(name));
  return named ?? (typeof name === 'string' ? options.find(isOpen) : undefined) ?? options[0]!;
}

/** Values of the key that choose this option. */
export function namesOf(option: Schema, key: string): unknown[] {
  const child = childOf(option, key);
  const def = child === undefined ? undefined : defOf(unwrap(child));
  return def?.type === 'literal' ? def.values : [];
}

/** Whether the object schema takes keys that it does not name; a choice of sections does when one of them does. */
export function isOpen(schema: Schema): boolean {
  const choice = optionsOf(schema);
  return choice === undefined ? restOf(schema) !== undefined : choice.options.some(isOpen);
}

/** The schema of keys that an object schema does not name. */
function restOf(schema: Schema): Schema | undefined {
  const def = defOf(unwrap(schema));
  return def.type === 'object' && def.catchall !== undefined && defOf(def.catchall).type !== 'never' ? def.catchall : undefined;
}

/** Keys that the object schema has, of a choice of sections those of all; undefined for a schema without fixed keys. */
export function keysOf(schema: Schema): string[] | undefined {
  const choice = optionsOf(schema);
  if (choice !== undefined) return [...new Set(choice.options.flatMap((option) => keysOf(option) ?? []))];
  const def = defOf(unwrap(schema));
  return def.type === 'object' ? Object.keys(def.shape) : undefined;
}

/** The schema of one key; undefined when there is no such key. */
export function childOf(schema: Schema, key: string): Schema | undefined {
  const choice = optionsOf(schema);
  if (choice !== undefined) return choice.options.map((option) => childOf(option, key)).find((child) => child !== undefined);
  const def = defOf(unwrap(schema));
  if (def.type === 'object') return Object.hasOwn(def.shape, key) ? def.shape[key] : restOf(schema);
  if (def.type === 'record') return def.valueType;
  if (def.type === 'array') return def.element;
  return undefined;
}

/**
 * The schema at a path; undefined when the path leads outside of the schema. With a value, a choice of sections is the one that
 * the value has made; without, all of them.
 */
export function schemaAt(schema: Schema, path: readonly string[], value?: unknown): Schema | undefined {
  let at: Schema | undefined = schema;
  let here = value;
  for (const key of path) {
    if (at === undefined) return undefined;
    at = childOf(value === undefined ? at : chosenOption(at, here), key);
    here = typeof here === 'object' && here !== null ? (here as Record<string, unknown>)[key] : undefined;
  }
  return at;
}

/** Whether text given for this schema stands for itself and is not read as a number, boolean or list. */
export function takesText(schema: Schema): boolean {
  const { type } = defOf(unwrap(schema));
  return type === 'string' || type === 'enum';
}

/**
 * The key most like `key`: one that begins it, or else the fewest changes, whatever the case; undefined when that would be more
 * than half of the letters.
 */
export function nearestKey(key: string, keys: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[-_ ]/g, '');
  const candidates = keys.map(plain);
  if (candidates.length === 0) return undefined;
  const begins = candidates.findIndex((candidate) => candidate !== '' && plain(key).startsWith(candidate));
  if (begins >= 0) return keys[begins];
  const meant = closest(plain(key), candidates);
  return distance(plain(key), meant) * 2 > Math.max(key.length, meant.length) ? undefined : keys[candidates.indexOf(meant)];
}

/** What a schema allows, in words: "an integer from 1 to 1024". */
export function allowedBy(schema: Schema): string | undefined {
  const inner = unwrap(schema);
  const def = defOf(inner);
  switch (def.type) {
    case 'string': {
      const { description } = schema as z.ZodType;
      return description === undefined ? 'text' : `text (${description})`;
    }
    case 'boolean':
      return 'true or false';
    case 'enum':
      return `one of ${Object.values(def.entries).join(', ')}`;
    case 'literal':
      return def.values.map(String).join(' or ');
    case 'union':
      if (optionsOf(schema) !== undefined) return `a section with the keys ${keysOf(schema)!.join(', ')}`;
      return def.options.map((option) => allowedBy(option) ?? 'another value').join(' or ');
    case 'object':
      return `a section with the keys ${Object.keys(def.shape).join(', ')}`;
    case 'array':
      return 'a list';
    case 'record':
      return 'a section of keys and values';
    case 'number': {
      const { minValue, maxValue, isInt } = inner as z.ZodNumber;
      const bounded = (value: number | null): value is number => value !== null && Math.abs(value) < Number.MAX_SAFE_INTEGER;
      const kind = isInt ? 'an integer' : 'a number';
      if (bounded(minValue) && bounded(maxValue)) return `${kind} from ${minValue} to ${maxValue}`;
      if (bounded(minValue)) return `${kind} of at least ${minValue}`;
      return bounded(maxValue) ? `${kind} of at most ${maxValue}` : kind;
    }
    default:
      return undefined;
  }
}
