import { isUtf8 } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import { extname } from 'node:path';
import { parse, type CsvError, type Info } from 'csv-parse';
import { Slices } from '../clock/slices.ts';
import { MillraceError } from '../errors.ts';
import type { Loaded } from '../flow/define.ts';
import { ListSplitter, NoList } from './elements.ts';
import { loaderClock, reportProgress } from './progress.ts';

/** Largest task file, in bytes. */
export const MAX_FILE_BYTES = 256 * 1024 * 1024;
/** Most tasks that a flow loads. */
export const MAX_TASKS = 1_000_000;
/** Longest single entry of a file, in bytes: parsing one is not interrupted. A task is smaller still (`MAX_TASK_BYTES`). */
const MAX_ENTRY_BYTES = 8 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** Progress is told this often, in ms. */
const REPORT_MS = 250;

/**
 * Reads a task file by its ending: `.json` (a list), `.jsonl` or `.ndjson` (a task a line), `.csv` (a header, then a task a
 * row; every value is a text, so use `z.coerce` in the task's schema). The origins are `file:line`. Only the flow's schema
 * knows whether the tasks are what `T` says; Millrace checks them after `load`.
 *
 * Files are read piece by piece, with turns of the event loop in between: at most {@link MAX_FILE_BYTES} of UTF-8 and
 * {@link MAX_TASKS} tasks. Throws `not_found`, and `invalid_argument` with the line.
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
  const found = new Found<T>(file);
  const splitter = new ListSplitter();
  const slices = new Slices(loaderClock());
  try {
    for await (const chunk of chunksOf(file)) {
      for (const { bytes, line } of splitter.push(chunk)) {
        found.add(parseEntry(file, line, bytes), line);
        if (slices.due) await slices.turn();
      }
      if (splitter.pendingBytes > MAX_ENTRY_BYTES) throw tooLong(file, splitter.line);
    }
    splitter.end();
  } catch (thrown) {
    if (thrown instanceof NoList) throw broken(`${file}:${thrown.line}`, thrown.message, thrown);
    throw thrown;
  }
  return found.loaded;
}

/** Reads a file with one JSON value a line; empty lines are skipped. */
export async function readJsonLines<T = unknown>(file: string): Promise<Loaded<T>> {
  const found = new Found<T>(file);
  const slices = new Slices(loaderClock());
  let line = 0;
  let parts: Buffer[] = [];
  let pending = 0;
  const take = (bytes: Buffer): void => {
    line += 1;
    const value = parseLine(file, line, bytes);
    if (value !== undefined) found.add(value.value, line);
  };
  for await (const chunk of chunksOf(file)) {
    let begin = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, begin)) {
      const rest = chunk.subarray(begin, end);
      take(parts.length === 0 ? rest : Buffer.concat([...parts, rest]));
      begin = end + 1;
      [parts, pending] = [[], 0];
      if (slices.due) await slices.turn();
    }
    parts.push(chunk.subarray(begin));
    pending += chunk.length - begin;
    if (pending > MAX_ENTRY_BYTES) throw tooLong(file, line + 1);
  }
  take(Buffer.concat(parts));
  return found.loaded;
}

/** Reads comma-separated values (RFC 4180) with a header line. */
export async function readCsv<T = unknown>(file: string): Promise<Loaded<T>> {
  const found = new Found<T>(file);
  const slices = new Slices(loaderClock());
  const parser = parse({ info: true, skip_empty_lines: true, max_record_size: MAX_ENTRY_BYTES });
  const rows = parser[Symbol.asyncIterator]() as AsyncIterator<{ record: string[]; info: Info }>;
  // A pipeline would tell of errors twice; this way the file's come before those of the parser.
  let failed: unknown;
  const fed = feed(file, parser).catch((thrown: unknown) => {
    failed = thrown;
    parser.destroy();
  });
  let header: string[] | undefined;
  let end = 0;
  try {
    for (let row = await rows.next(); row.done !== true; row = await rows.next()) {
      const { record, info } = row.value;
      end = info.lines;
      // The parser tells where a record ends.
      const start = end - record.reduce((sum, text) => sum + text.split('\n').length - 1, 0);
      if (header === undefined) header = record;
      else found.add(Object.fromEntries(header.map((name, i) => [name, record[i]])), start);
      if (slices.due) await slices.turn();
    }
    await fed;
    if (failed !== undefined) throw failed as Error;
  } catch (thrown) {
    await fed;
    if (failed instanceof MillraceError) throw failed;
    if (thrown instanceof MillraceError) throw thrown;
    const { lines, message } = thrown as CsvError & { lines?: number };
    throw broken(`${file}:${lines ?? end + 1}`, `not CSV: ${message}`, thrown);
  }
  return found.loaded;
}

/** Gives the file to a parser as fast as it takes it. */
async function feed(file: string, parser: ReturnType<typeof parse>): Promise<void> {
  let line = 1;
  // A character may lie across two pieces.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for await (const chunk of chunksOf(file)) {
    if (parser.destroyed) return;
    let text: string;
    try {
      text = decoder.decode(chunk, { stream: true });
    } catch (thrown) {
      throw noUtf8(file, line, thrown);
    }
    line += text.split('\n').length - 1;
    if (!parser.write(text)) await room(parser);
  }
  try {
    decoder.decode();
  } catch (thrown) {
    throw noUtf8(file, line, thrown);
  }
  parser.end();
}

/** Resolves when the parser takes more, or nothing any more. */
function room(parser: ReturnType<typeof parse>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      parser.off('drain', done).off('close', done);
      resolve();
    };
    parser.on('drain', done).on('close', done);
  });
}

/** The tasks found so far. */
class Found<T> {
  readonly loaded: Loaded<T> & { origins: string[] } = { tasks: [], origins: [] };
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  add(task: unknown, line: number): void {
    const { tasks, origins } = this.loaded;
    if (tasks.length >= MAX_TASKS)
      throw broken(
        `${this.#file}:${line}`,
        `more than ${MAX_TASKS.toLocaleString('en-US')} tasks, which is the most that a job can have; take a sample of them`,
      );
    tasks.push(task as T);
    origins.push(`${this.#file}:${line}`);
  }
}

function parseLine(file: string, line: number, bytes: Buffer): { value: unknown } | undefined {
  for (const byte of bytes) {
    // White space alone is an empty line.
    if (byte === 0x20 || byte === 0x09 || byte === 0x0d) continue;
    return { value: parseEntry(file, line, bytes) };
  }
  return undefined;
}

function parseEntry(file: string, line: number, bytes: Buffer): unknown {
  if (bytes.length > MAX_ENTRY_BYTES) throw tooLong(file, line);
  if (!isUtf8(bytes)) throw noUtf8(file, line);
  const text = bytes.toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const at = line + lineOfSyntaxError(text, error as SyntaxError) - 1;
    throw broken(`${file}:${at}`, `not JSON: ${(error as Error).message}`, error);
  }
}

/** Pieces of a file, without the mark that some editors put at its beginning; tells how far it has come. */
async function* chunksOf(file: string): AsyncGenerator<Buffer> {
  const unreadable = (error: unknown): MillraceError =>
    new MillraceError('not_found', `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`, {
      cause: error,
      field: 'data',
    });
  let handle: FileHandle;
  try {
    handle = await open(file);
  } catch (error) {
    throw unreadable(error);
  }
  try {
    const total = (await handle.stat()).size;
    let done = 0;
    const clock = loaderClock();
    let reportedAt = clock.monotonic();
    for (;;) {
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES).catch((error: unknown) => {
        throw unreadable(error);
      });
      if (bytesRead === 0) return;
      const first = done === 0 && buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 3 : 0;
      done += bytesRead;
      if (Math.max(done, total) > MAX_FILE_BYTES) throw tooLarge(file, Math.max(done, total));
      if (clock.monotonic() - reportedAt >= REPORT_MS || done === total) {
        reportProgress({ stage: 'read', done, total: Math.max(done, total) });
        reportedAt = clock.monotonic();
      }
      yield buffer.subarray(first, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

function tooLarge(file: string, bytes: number): MillraceError {
  const [has, most] = [bytes, MAX_FILE_BYTES].map((n) => `${Math.ceil(n / 2 ** 20)} MiB`);
  return broken(
    file,
    `is ${has}, and a task file is at most ${most}; take a sample of its tasks, or keep large data in the flow's context`,
  );
}

function tooLong(file: string, line: number): MillraceError {
  return broken(
    `${file}:${line}`,
    `a single entry of more than ${MAX_ENTRY_BYTES / 2 ** 20} MiB; a task is at most 512 KiB of JSON`,
  );
}

function noUtf8(file: string, line: number, cause?: unknown): MillraceError {
  return broken(`${file}:${line}`, 'is not UTF-8; save it in that encoding', cause);
}

function broken(where: string, problem: string, cause?: unknown): MillraceError {
  return new MillraceError('invalid_argument', `${where}: ${problem}`, { cause, field: 'data' });
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
