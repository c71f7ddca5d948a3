import { readFileSync, statSync } from 'node:fs';
import { LineCounter, isMap, isScalar, parseDocument, type Node } from 'yaml';
import { MillraceError } from '../errors.ts';
import { isSection } from './layers.ts';

/** Configuration files are written by hand; a larger one is something else. */
const MAX_BYTES = 1024 * 1024;

/** A YAML file's values, and where they stand in it. */
export interface YamlFile {
  readonly value: Record<string, unknown>;
  /** `name:line` of a key or value; of the nearest section around it when it is not in the file itself. */
  locate(path: readonly string[], what: 'key' | 'value'): string;
}

/**
 * Reads a YAML file that holds one section.
 *
 * @throws MillraceError not_found when there is no such file; invalid_argument with `file:line:column` for bad YAML.
 */
export function readYamlFile(path: string): YamlFile {
  return parseYamlText(readText(path), path);
}

/** {@link readYamlFile} for text at hand; `name` is used in errors. */
function parseYamlText(text: string, name: string): YamlFile {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = counter.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const error = document.errors[0];
  if (error !== undefined) {
    throw new MillraceError('invalid_argument', `${place(error.pos[0])}: not valid YAML: ${error.message}`, { cause: error });
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    throw new MillraceError('invalid_argument', `${name}: not usable YAML: ${MillraceError.from(cause).message}`, { cause });
  }
  if (value !== null && value !== undefined && !isSection(value)) {
    throw new MillraceError(
      'invalid_argument',
      `${name}:1: expected "key: value" lines, got ${Array.isArray(value) ? 'a list' : typeof value}`,
    );
  }
  const lineOf = (offset: number | undefined): string => `${name}:${counter.linePos(offset ?? 0).line}`;
  return {
    value: (value as Record<string, unknown> | null | undefined) ?? {},
    locate: (path, what) => lineOf(offsetOf(document.contents, path, what)),
  };
}

function offsetOf(root: Node | null, path: readonly string[], what: 'key' | 'value'): number | undefined {
  let at: unknown = root;
  let offset: number | undefined;
  for (const [index, key] of path.entries()) {
    if (!isMap(at)) break;
    const pair = at.items.find((item) => String(isScalar(item.key) ? item.key.value : item.key) === key);
    if (pair === undefined) break;
    const keyNode = pair.key as Node | null;
    const valueNode = pair.value as Node | null;
    const wanted = what === 'value' && index === path.length - 1 && isScalar(valueNode) ? valueNode : keyNode;
    offset = wanted?.range?.[0] ?? offset;
    at = valueNode;
  }
  return offset;
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES)
      throw new MillraceError('invalid_argument', `${path} has ${size} bytes; a configuration has at most ${MAX_BYTES}`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new MillraceError('not_found', `no file ${path}: give the path of a YAML file`, { cause: error });
    if (code === 'EISDIR')
      throw new MillraceError('invalid_argument', `${path} is a folder: give the path of the YAML file in it`, { cause: error });
    throw new MillraceError('failed_precondition', `cannot read ${path}: ${message}`, { cause: error });
  }
}
