import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** SHA-256 in hex. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Bytes of a file that are read at a time. */
const PIECE_BYTES = 1 << 20;

/** The content of a file in pieces. */
export function filePieces(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: PIECE_BYTES });
}

/** SHA-256 of a file; undefined when it cannot be read. */
export async function fileDigest(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const piece of filePieces(path)) hash.update(piece);
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}
