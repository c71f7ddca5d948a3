import { createHash } from 'node:crypto';

const MIB = 1024 * 1024;
/** Content up to this size is sent at once. */
const PART_BYTES = 16 * MIB;
/** S3 takes 10,000. */
const MAX_PARTS = 9_000;

/** Bytes of each part but the last of content of this size. */
export function partBytes(size: number, smallest = PART_BYTES): number {
  return Math.max(smallest, Math.ceil(size / MAX_PARTS / MIB) * MIB);
}

/** Cuts pieces of any length into parts of `bytes`, the last one of what is left; one empty part for no content. */
export async function* inParts(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  bytes: number,
): AsyncIterable<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let length = 0;
  let any = false;
  for await (let piece of pieces) {
    while (length + piece.byteLength >= bytes) {
      const taken = bytes - length;
      gathered.push(piece.subarray(0, taken));
      yield Buffer.concat(gathered);
      any = true;
      [gathered, length] = [[], 0];
      piece = piece.subarray(taken);
    }
    if (piece.byteLength === 0) continue;
    // A piece may be a view of a buffer that is filled anew.
    gathered.push(Buffer.from(piece));
    length += piece.byteLength;
  }
  if (length > 0 || !any) yield Buffer.concat(gathered);
}

/** The ETag that S3 gives content that was sent at once; where it encrypts with keys of its own, it gives another. */
export async function expectedETag(whole: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('md5');
  for await (const part of whole) hash.update(part);
  return hash.digest('hex');
}
