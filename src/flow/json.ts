/** A value as it travels: its JSON text, and what that text says. */
export interface JsonCopy {
  json: string;
  value: unknown;
}

/** What of a value JSON cannot hold, and where: `$.orders[2].when`. */
export interface JsonProblem {
  problem: string;
  path: string;
}

/** Options of {@link copyAsJson}. */
export interface CopyOptions {
  /**
   * Accept texts that are cut inside a character (lone surrogates). JSON keeps them, but UTF-8 does not. Default false.
   */
  loneSurrogates?: boolean;
}

/**
 * Turns a value into JSON and back, so that what is checked is what travels. Properties that are undefined are left out and -0
 * becomes 0; everything else that would come out otherwise than it went in is a problem: dates, bigints, NaN and infinities,
 * functions, symbols, maps, sets, typed arrays, instances of classes, holes and undefined in arrays, cycles, and texts that are
 * not well-formed Unicode.
 */
export function copyAsJson(value: unknown, { loneSurrogates = false }: CopyOptions = {}): JsonCopy | JsonProblem {
  try {
    const found = findProblem(value, '$', { loneSurrogates, above: new Set() });
    if (found !== undefined) return found;
    const json = JSON.stringify(value);
    return { json, value: JSON.parse(json) as unknown };
  } catch (thrown) {
    if (thrown instanceof RangeError) return { problem: 'it is nested too deeply', path: '$' };
    // A getter or a proxy of the caller's.
    return { problem: `it cannot be read: ${(thrown as Error | undefined)?.message ?? String(thrown)}`, path: '$' };
  }
}

interface Search {
  loneSurrogates: boolean;
  /** Objects that hold the one looked at: one of them inside it is a cycle. */
  above: Set<object>;
}

function findProblem(value: unknown, path: string, search: Search): JsonProblem | undefined {
  switch (typeof value) {
    case 'boolean':
      return undefined;
    case 'string':
      return search.loneSurrogates || isWellFormed(value) ? undefined : { problem: CUT_TEXT, path };
    case 'number':
      return Number.isFinite(value) ? undefined : { problem: `${value} is not a JSON number; use null or a text`, path };
    case 'object':
      return value === null ? undefined : findInside(value, path, search);
    case 'bigint':
      return { problem: 'a bigint has no JSON form; write it as a text', path };
    default:
      return { problem: `${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`} has no JSON form`, path };
  }
}

function findInside(value: object, path: string, search: Search): JsonProblem | undefined {
  const { above } = search;
  if (above.has(value)) return { problem: 'it contains itself', path };
  const list = Array.isArray(value);
  const proto: unknown = Object.getPrototypeOf(value);
  if (list ? proto !== null && !isBuiltIn(proto, 'Array') : proto !== null && !isBuiltIn(proto, 'Object'))
    return { problem: `${nameOf(value)}; give plain objects, lists, texts and numbers instead`, path };
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function')
    return { problem: 'it has a method toJSON; give what that returns instead', path };
  above.add(value);
  const found = list ? findInList(value, path, search) : findInObject(value as Record<string, unknown>, path, search);
  above.delete(value);
  return found;
}

function findInList(list: readonly unknown[], path: string, search: Search): JsonProblem | undefined {
  for (let i = 0; i < list.length; i++) {
    const element = list[i];
    // JSON would make it null.
    if (element === undefined)
      return { problem: i in list ? 'undefined in a list' : 'a list with a hole', path: `${path}[${i}]` };
    const found = findProblem(element, `${path}[${i}]`, search);
    if (found !== undefined) return found;
  }
  if (Object.keys(list).length !== list.length) return { problem: 'a list with properties of its own', path };
  return undefined;
}

function findInObject(object: Record<string, unknown>, path: string, search: Search): JsonProblem | undefined {
  for (const key of Reflect.ownKeys(object)) {
    if (typeof key === 'symbol') return { problem: `a property named by a symbol (${String(key)})`, path };
    const at = pathTo(path, key);
    if (!search.loneSurrogates && !isWellFormed(key)) return { problem: CUT_TEXT, path: at };
    const value = object[key];
    if (value === undefined) continue;
    if (!Object.prototype.propertyIsEnumerable.call(object, key))
      return { problem: 'a property that is not enumerable', path: at };
    const found = findProblem(value, at, search);
    if (found !== undefined) return found;
  }
  return undefined;
}

const CUT_TEXT = 'a text that is not well-formed Unicode (cut inside a character such as an emoji)';

/** Every half of a surrogate pair in its place: UTF-8 would replace others by U+FFFD, so two texts could become one. */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}

/** Also of another realm: the modules of a flow may have been evaluated in one. */
function isBuiltIn(proto: unknown, name: 'Array' | 'Object'): boolean {
  if (proto === (name === 'Array' ? Array.prototype : Object.prototype)) return true;
  const { constructor } = proto as { constructor?: { name?: unknown } };
  const parent: unknown = Object.getPrototypeOf(proto);
  const grandparent: unknown = parent === null ? null : Object.getPrototypeOf(parent);
  return constructor?.name === name && (name === 'Object' ? parent === null : parent !== null && grandparent === null);
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: { name?: unknown } };
  const name = typeof constructor?.name === 'string' && constructor.name !== '' ? constructor.name : 'a class';
  return `an instance of ${name} does not survive JSON`;
}

function pathTo(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}
