import type { z } from 'zod';
import { assign, fromEnvironment, fromFlags, isSection, type Assignment, type ConfigSource, type Environment } from './layers.ts';
import { check } from './problems.ts';
import { keysOf, schemaAt, type Schema } from './schema-walk.ts';
import type { YamlFile } from './yaml-file.ts';

/** What a configuration is put together from, besides its defaults. */
export interface Layers {
  /** The file, if there is one. */
  readonly file?: YamlFile;
  /** What the configuration is called in errors about missing fields. */
  readonly name: string;
  readonly env?: Environment;
  /** Variables that start with this are part of the configuration, e.g. `MILLRACE_JOB__`. */
  readonly envPrefix: string;
  /** Variables with names of their own, e.g. CLICKHOUSE_URL, and the path each stands for; they win over prefixed ones. */
  readonly envNames?: Readonly<Record<string, string>>;
  /** `key.path=value` texts, as given with --set; later ones win. */
  readonly overrides?: readonly string[];
  /** Values of flags with names of their own (`--data DIR`) by dotted path; undefined ones are skipped. They win over `overrides`. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** How a flag is spelled whose name is not the last part of its path, by dotted path. */
  readonly flagNames?: Readonly<Record<string, string>>;
  /** Values from somewhere else, each with an origin of its own for errors; they win over everything. */
  readonly assigned?: readonly Assignment[];
}

/** A configuration, and by dotted path where each of its values comes from. */
export interface Resolved<T> {
  readonly config: T;
  readonly sources: Record<string, ConfigSource>;
}

/** Puts the layers together: defaults < file < environment < flags; and checks the result. */
export function resolve<T extends z.ZodType>(schema: T, layers: Layers): Resolved<z.output<T>> {
  const assignments = [...environmentOf(schema, layers), ...flagsOf(schema, layers), ...(layers.assigned ?? [])];
  const raw = withoutEmptySections(schema, layers.file?.value ?? {});
  const given = new Map<string, ConfigSource>(valuesIn(schema, raw).map((path) => [path.join('.'), 'file']));
  const origins = new Map<string, string>();
  for (const { path, value, source, origin } of assignments) {
    assign(raw, path, value);
    const key = path.join('.');
    origins.set(key, origin);
    given.set(key, source);
    for (const below of valuesIn(schemaAt(schema, path), value, path)) given.set(below.join('.'), source);
  }
  const config = check(schema, raw, layers.name, (path, what) => originOf(origins, path) ?? layers.file?.locate(path, what));
  const sources = Object.fromEntries(
    valuesIn(schema, config).map((path) => [path.join('.'), given.get(path.join('.')) ?? 'default']),
  );
  return { config, sources };
}

/** A copy in which sections that are written but empty (`rollout:` with every line below it commented out) are left out. */
function withoutEmptySections(schema: Schema, value: Record<string, unknown>): Record<string, unknown> {
  const copy = structuredClone(value);
  for (const key of keysOf(schema) ?? []) {
    const child = schemaAt(schema, [key]);
    if (copy[key] === null && child !== undefined && keysOf(child) !== undefined) Reflect.deleteProperty(copy, key);
  }
  return copy;
}

function environmentOf(schema: z.ZodType, { env = {}, envPrefix, envNames = {} }: Layers): Assignment[] {
  const named = Object.entries(envNames).flatMap(([name, path]) => {
    const value = env[name];
    if (value === undefined || value === '') return [];
    return fromFlags(schema, [`${path}=${value}`]).map((a): Assignment => ({ ...a, source: 'environment', origin: name }));
  });
  const skip = new Set(Object.keys(envNames));
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !skip.has(name)));
  return [...fromEnvironment(schema, rest, envPrefix), ...named];
}

function flagsOf(schema: z.ZodType, { overrides = [], flags = {}, flagNames = {} }: Layers): Assignment[] {
  const named = Object.entries(flags).flatMap(([dotted, value]): Assignment[] => {
    const path = dotted.split('.');
    return value === undefined ? [] : [{ path, value, source: 'flag', origin: `--${flagNames[dotted] ?? path.at(-1)!}` }];
  });
  return [...fromFlags(schema, overrides), ...named];
}

function originOf(origins: ReadonlyMap<string, string>, path: readonly string[]): string | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const origin = origins.get(path.slice(0, length).join('.'));
    if (origin !== undefined) return origin;
  }
  return undefined;
}

/** Paths of the values in `value`: sections of the schema are entered, free-form ones one level, everything else is a value. */
function valuesIn(schema: Schema | undefined, value: unknown, path: readonly string[] = []): string[][] {
  if (value === undefined) return [];
  const fixed = schema !== undefined && keysOf(schema) !== undefined;
  const free = schema !== undefined && !fixed && schemaAt(schema, ['']) !== undefined;
  if (!isSection(value) || !(fixed || free)) return path.length === 0 ? [] : [[...path]];
  return Object.entries(value).flatMap(([key, child]) => valuesIn(schemaAt(schema, [key]), child, [...path, key]));
}
