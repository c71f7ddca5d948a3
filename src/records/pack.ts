import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { MillraceError } from '../errors.ts';

/** Below this the header and the call cost more than they save. */
const SMALLEST = 1024;
/** What a message can hold at most once unpacked: rows are cut to a fraction of that before they are packed. */
const LARGEST = 64 * 1024 * 1024;

const NEWLINE = 10;

/**
 * Encoded rows as they travel. Ids, names of tools and answers come again in every line, so the fastest level of gzip makes them
 * about a tenth, in less time than four processes and two streams need to copy the rest.
 */
export function packRows(rows: Uint8Array): Uint8Array {
  return rows.length < SMALLEST || isPacked(rows) ? rows : gzip(rows);
}

/** Whether rows are packed. A line of rows begins with a bracket. */
export function isPacked(rows: Uint8Array): boolean {
  return rows[0] === 0x1f && rows[1] === 0x8b;
}

/**
 * Rows as they were before {@link packRows} or {@link joinRows}. Throws `invalid_argument` when packed rows are damaged, or are
 * more than `most` bytes (default 64 MiB).
 */
export function unpackRows(bytes: Uint8Array, most = LARGEST): Uint8Array {
  if (!isPacked(bytes)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: most });
  } catch (error) {
    throw new MillraceError('invalid_argument', `packed rows cannot be unpacked: ${MillraceError.from(error).message}`, {
      cause: error,
    });
  }
}

/**
 * Bytes of the rows of one {@link packRows} when unpacked, without unpacking them: gzip ends with that number. Throws
 * `invalid_argument` for more than a message can hold and for what is too short to be packed rows.
 */
export function unpackedSize(rows: Uint8Array): number {
  if (!isPacked(rows)) return rows.length;
  // Ten bytes of header, eight of checksum and size.
  const size = rows.length < 18 ? Infinity : new DataView(rows.buffer, rows.byteOffset).getUint32(rows.length - 4, true);
  if (size <= LARGEST) return size;
  throw new MillraceError('invalid_argument', 'packed rows cannot be unpacked: cut off, or larger than a message can hold');
}

/**
 * Blocks of encoded rows as one. When some are packed so is the result, as one gzip member a block: what reads gzip reads them
 * one after the other, and nobody has to unpack what was packed by whoever encoded it.
 */
export function joinRows(blocks: readonly Uint8Array[]): Uint8Array {
  const packed = blocks.some(isPacked);
  return Buffer.concat(blocks.map((block) => (isPacked(block) ? block : packed ? gzip(ended(block)) : ended(block))));
}

const gzip = (rows: Uint8Array): Uint8Array => gzipSync(rows, { level: constants.Z_BEST_SPEED });

/** With a line end at its end. */
const ended = (rows: Uint8Array): Uint8Array =>
  rows.length === 0 || rows[rows.length - 1] === NEWLINE ? rows : Buffer.concat([rows, Buffer.of(NEWLINE)]);
