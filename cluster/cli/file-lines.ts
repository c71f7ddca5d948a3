import { createReadStream } from 'node:fs';
import { MillraceError } from '../../src/errors.ts';

/** One line of a file. */
export interface FileLine {
  /** From 1. */
  number: number;
  /** Without its line feed. */
  text: string;
}

/** Longest line, in bytes. */
const LONGEST = 8 * 1024 * 1024;

/**
 * The lines of a UTF-8 file, without empty ones. Only line feeds end a line: U+2028 and its like stand unescaped in JSON.
 * `invalid_argument` with the line for text that is not UTF-8 and for lines longer than 8 MiB; `not_found` when there is no file.
 */
export async function* fileLines(path: string): AsyncGenerator<FileLine> {
  let number = 0;
  let parts: Buffer[] = [];
  let bytes = 0;
  const line = (): FileLine | undefined => {
    const data = Buffer.concat(parts);
    parts = [];
    bytes = 0;
    number += 1;
    const text = decode(data, number).trim();
    return text === '' ? undefined : { number, text };
  };
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
      let rest = chunk as Buffer;
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        parts.push(rest.subarray(0, end));
        rest = rest.subarray(end + 1);
        const read = line();
        if (read) yield read;
      }
      parts.push(rest);
      bytes += rest.length;
      if (bytes > LONGEST) throw wrong(number + 1, 'is longer than 8 MiB');
    }
  } catch (thrown) {
    throw readError(path, thrown);
  }
  const read = line();
  if (read) yield read;
}

function decode(data: Buffer, number: number): string {
  try {
    // Not toString, which would quietly put something else in place of what is wrong. A byte order mark is taken away.
    return new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch {
    throw wrong(number, 'is not UTF-8');
  }
}

const wrong = (number: number, what: string): MillraceError => new MillraceError('invalid_argument', `line ${number}: ${what}`);

/** Errors of reading, with the file. */
function readError(path: string, thrown: unknown): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new MillraceError('not_found', `There is no file ${path}.`, { cause: thrown });
  return new MillraceError('failed_precondition', `Cannot read ${path}: ${message}`, { cause: thrown });
}
