import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { parse } from 'csv-parse/sync';
import { MillraceError } from '../errors.ts';
import type { Loaded } from '../flow/define.ts';

/**
 * Reads a task file by its ending: `.json` (a list), `.jsonl` or `.ndjson` (a task a line), `.csv` (a header, then a task a
 * row; every value is a text, so use `z.coerce` in the task's schema). The origins are `file:line`. Only the flow's schema
 * knows whether the tasks are what `T` says; Millrace checks them after `load`.
 */
export async function readTasks<T = unknown>(file: string): Promise<Loaded<T>> {
  const ending = extname(file).toLowerCase();
  if (ending === '.json') return readJson<T>(file);
  if (ending === '.jsonl' || ending === '.ndjson') return readJsonLines<T>(file);
  if (ending === '.csv') return readCsv<T>(file);
  throw new MillraceError('invalid_argument', `${file}: tasks are read from .json, .jsonl, .ndjson and .csv files`, {
    field: 'data',
  });
}

/** Reads a JSON file that holds a list. */
export async function readJson<T = unknown>(file: string): Promise<Loaded<T>> {
  const text = await readText(file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw broken(`${file}:${lineOfSyntaxError(text, error as SyntaxError)}`, `not JSON: ${(error as Error).message}`, error);
  }
  if (!Array.isArray(value)) throw broken(`${file}:1`, 'must hold a list of tasks');
  return { tasks: value as T[], origins: elementLines(text).map((line) => `${file}:${line}`) };
}

/** Reads a file with one JSON value a line; empty lines are skipped. */
export async function readJsonLines<T = unknown>(file: string): Promise<Loaded<T>> {
  const tasks: T[] = [];
  const origins: string[] = [];
  (await readText(file)).split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    const origin = `${file}:${i + 1}`;
    try {
      tasks.push(JSON.parse(line) as T);
    } catch (error) {
      throw broken(origin, `not JSON: ${(error as Error).message}`, error);
    }
    origins.push(origin);
  });
  return { tasks, origins };
}

/** Reads comma-separated values (RFC 4180) with a header line. */
export async function readCsv<T = unknown>(file: string): Promise<Loaded<T>> {
  const text = await readText(file);
  const tasks: T[] = [];
  const origins: string[] = [];
  // The parser tells where a record ends; it starts on the line after the one before it.
  let line = 1;
  let header: string[] | undefined;
  try {
    const rows = parse(text, { info: true, skip_empty_lines: true }) as unknown as {
      record: string[];
      info: { lines: number };
    }[];
    for (const { record, info } of rows) {
      const start = Math.min(line + blankLines(text, line), info.lines);
      line = info.lines + 1;
      if (header === undefined) header = record;
      else {
        tasks.push(Object.fromEntries(header.map((name, i) => [name, record[i]])) as T);
        origins.push(`${file}:${start}`);
      }
    }
  } catch (error) {
    throw broken(`${file}:${(error as { lines?: number }).lines ?? line}`, `not CSV: ${(error as Error).message}`, error);
  }
  return { tasks, origins };
}

async function readText(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).replace(/^\uFEFF/, '');
  } catch (error) {
    throw new MillraceError('not_found', `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`, {
      cause: error,
      field: 'data',
    });
  }
}

function broken(where: string, problem: string, cause?: unknown): MillraceError {
  return new MillraceError('invalid_argument', `${where}: ${problem}`, { cause, field: 'data' });
}

/** The line that each element of the outermost list starts on, in text that is known to be JSON. */
export function elementLines(text: string): number[] {
  const lines: number[] = [];
  let [line, depth] = [1, 0];
  let expects = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '\n') line += 1;
    if (/\s/.test(char)) continue;
    if (depth === 1 && expects && char !== ']') {
      lines.push(line);
      expects = false;
    }
    if (char === '"') while (text[++i] !== '"') i += text[i] === '\\' ? 1 : 0;
    else if (char === '[' || char === '{') {
      depth += 1;
      expects = depth === 1;
    } else if (char === ']' || char === '}') depth -= 1;
    else if (char === ',' && depth === 1) expects = true;
  }
  return lines;
}

/** JSON.parse says where in its message: as a position, as a piece of the text around it, or not at all at the end. */
function lineOfSyntaxError(text: string, { message }: SyntaxError): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return lineAt(text, Number(position));
  const piece = /, (?:\.\.\.)?"(.*?)"(?:\.\.\.)? is not valid JSON/s.exec(message)?.[1];
  const at = piece === undefined || piece === '' ? -1 : text.indexOf(piece);
  // The piece starts at most ten characters before the error.
  return at >= 0 ? lineAt(text, at + Math.min(10, piece!.length - 1)) : lineAt(text, text.trimEnd().length);
}

function lineAt(text: string, position: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < position; i = text.indexOf('\n', i + 1)) line += 1;
  return line;
}

function blankLines(text: string, line: number): number {
  let start = 0;
  for (let i = 1; i < line; i++) start = text.indexOf('\n', start) + 1;
  return /^(?:[ \t]*\r?\n)*/.exec(text.slice(start))![0].split('\n').length - 1;
}
