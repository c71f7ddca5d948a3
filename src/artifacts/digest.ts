import { createHash } from 'node:crypto';
import type { Files } from '../files/files.ts';

/** SHA-256 in hex. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** SHA-256 of a file; undefined when it cannot be read. */
export async function fileDigest(files: Pick<Files, 'pieces'>, path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const piece of files.pieces(path)) hash.update(piece);
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}
