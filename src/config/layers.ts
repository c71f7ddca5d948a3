import { parse as parseYaml } from 'yaml';
import { MillraceError } from '../errors.ts';
import { childOf, isOpen, keysOf, nearestKey, schemaAt, takesText, type Schema } from './schema-walk.ts';

/** Where a value came from; later ones win. */
export type ConfigSource = 'default' | 'file' | 'environment' | 'flag';

/** One value that does not come from the file. */
export interface Assignment {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly source: Exclude<ConfigSource, 'default' | 'file'>;
  /** What the person wrote, for errors: a variable's name or `--set a.b`. */
  readonly origin: string;
}

/** Environment variables, as in process.env. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The assignments in variables that start with `prefix`: `MILLRACE_JOB__ROLLOUT__GROUPSIZE=8`; case and single `_` do not matter. */
export function fromEnvironment(schema: Schema, env: Environment, prefix: string): Assignment[] {
  return Object.entries(env)
    .filter(([name, value]) => name.toUpperCase().startsWith(prefix) && value !== undefined && value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => {
      const path = resolvePath(schema, name.slice(prefix.length).split('__'), name, false);
      return { path, value: valueOf(schema, path, text ?? '', name), source: 'environment', origin: name };
    });
}

/** The assignments in `--set key.path=value` flags. */
export function fromFlags(schema: Schema, flags: readonly string[]): Assignment[] {
  return flags.map((flag) => {
    const split = flag.indexOf('=');
    if (split < 1) {
      throw new MillraceError('invalid_argument', `--set ${flag}: expected key=value, e.g. --set rollout.groupSize=8`, {
        field: flag,
      });
    }
    const key = flag.slice(0, split).trim();
    const origin = `--set ${key}`;
    const path = resolvePath(schema, key.split('.'), origin, true);
    return { path, value: valueOf(schema, path, flag.slice(split + 1), origin), source: 'flag', origin };
  });
}

/** Finds the keys meant by `parts`; in a free-form section (`source`) every key is one, taken from the environment in lower case. */
function resolvePath(schema: Schema, parts: readonly string[], origin: string, exact: boolean): string[] {
  const path: string[] = [];
  let at: Schema | undefined = schema;
  let free = false;
  for (const part of parts) {
    const keys: string[] | undefined = at === undefined ? undefined : keysOf(at);
    free ||= at !== undefined && keys === undefined && childOf(at, part) !== undefined;
    if (keys === undefined && !free) {
      const above = path.join('.');
      throw new MillraceError('invalid_argument', `${origin}: ${above} is a value and has no key ${JSON.stringify(part)}`, {
        field: above,
      });
    }
    const own = exact ? part : part.toLowerCase();
    const known: string | undefined = keys?.find(
      (candidate) => candidate === part || (!exact && plain(candidate) === plain(part)),
    );
    const key: string | undefined = known ?? (keys === undefined || (at !== undefined && isOpen(at)) ? own : undefined);
    if (key === undefined) {
      throw new MillraceError('invalid_argument', `${origin}: ${unknownKey([...path, part], keys ?? [])}`, {
        field: [...path, part].join('.'),
      });
    }
    path.push(key);
    at = at === undefined ? undefined : childOf(at, key);
  }
  return path;
}

const plain = (text: string): string => text.toLowerCase().replaceAll('_', '');

function valueOf(schema: Schema, path: readonly string[], text: string, origin: string): unknown {
  const leaf = schemaAt(schema, path);
  if (leaf !== undefined && takesText(leaf)) return text;
  try {
    return parseYaml(text) as unknown;
  } catch (error) {
    const reason = MillraceError.from(error).message.split('\n')[0] ?? '';
    throw new MillraceError('invalid_argument', `${origin}: ${JSON.stringify(text)} is no YAML value: ${reason}`, {
      field: path.join('.'),
      cause: error,
    });
  }
}

/** The error text for a key that is not there. */
export function unknownKey(path: readonly string[], keys: readonly string[]): string {
  const nearest = nearestKey(path.at(-1) ?? '', keys);
  const section = path.slice(0, -1);
  const meant = nearest === undefined ? '' : `; did you mean ${JSON.stringify([...section, nearest].join('.'))}?`;
  const list =
    keys.length === 0 ? '' : ` Keys ${section.length === 0 ? 'there' : `of ${section.join('.')}`}: ${keys.join(', ')}.`;
  return `unknown key ${JSON.stringify(path.join('.'))}${meant}${meant === '' && list !== '' ? '.' : ''}${list}`;
}

/** Plain objects are sections; everything else is a value. */
export function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Puts a value into nested sections, leaving anything that is in the way for validation to name. */
export function assign(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    define(target, key, value);
    return;
  }
  if (!Object.hasOwn(target, key) || target[key] === undefined) define(target, key, {});
  const next = target[key];
  if (isSection(next)) assign(next, rest, value);
}

/** Sets an own property whatever its name, `__proto__` included. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
