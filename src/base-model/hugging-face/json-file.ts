import { MillraceError } from '../../errors.ts';
import { readSmallFile } from '../../tensor-files/byte-source.ts';

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** A file that holds a JSON object of at most `limit` bytes. `not_found` when there is none, `data_loss` when it is anything else. */
export async function readJson(path: string, limit: number): Promise<Json> {
  const bytes = await readSmallFile(path, limit);
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json;
  } catch {
    // Told below, in the words of this file.
  }
  throw new MillraceError('data_loss', `${path} is not a JSON object`);
}

/** {@link readJson}, or undefined when there is no file. */
export function readOptionalJson(path: string, limit: number): Promise<Json | undefined> {
  return readJson(path, limit).catch(absent);
}

/** A text file, or undefined when there is none. */
export async function readOptionalText(path: string, limit: number): Promise<string | undefined> {
  const bytes = await readSmallFile(path, limit).catch(absent);
  return bytes && Buffer.from(bytes).toString('utf8');
}

function absent(error: unknown): undefined {
  if (error instanceof MillraceError && error.code === 'not_found') return undefined;
  throw error;
}
