import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { MillraceError } from '../../src/errors.ts';

/**
 * The token that a file holds; undefined without a file. `invalid_argument` when it cannot be read, or holds no token.
 *
 * @param field - what named the file, for errors
 */
export function readTokenFile(file: string | undefined, cwd: string, field: string): string | undefined {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(resolve(cwd, file), 'utf8').trim();
  } catch (cause) {
    throw new MillraceError('invalid_argument', `${field}: cannot be read (${(cause as Error).message}).`, { cause, field });
  }
  if (text.length < 16)
    throw new MillraceError('invalid_argument', `${field}: holds no token of at least 16 characters.`, { field });
  return text;
}
