import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { MillraceError } from '../errors.ts';

/** Below this the header and the call cost more than they save. */
const SMALLEST = 1024;
/** What a message can hold at most once unpacked: rows are cut to a fraction of that before they are packed. */
const LARGEST = 64 * 1024 * 1024;

/**
 * Encoded rows as they travel. Ids, names of tools and answers come again in every line, so the fastest level of gzip makes them
 * about a tenth, in less time than four processes and two streams need to copy the rest.
 */
export function packRows(rows: Uint8Array): Uint8Array {
  return rows.length < SMALLEST ? rows : gzipSync(rows, { level: constants.Z_BEST_SPEED });
}

/** Rows as they were before {@link packRows}. Throws `invalid_argument` when packed rows are damaged or unreasonably many. */
export function unpackRows(bytes: Uint8Array): Uint8Array {
  // A line of rows begins with a bracket.
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: LARGEST });
  } catch (error) {
    throw new MillraceError('invalid_argument', `packed rows cannot be unpacked: ${MillraceError.from(error).message}`, {
      cause: error,
    });
  }
}
