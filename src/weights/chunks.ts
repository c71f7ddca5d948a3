import { createHash } from 'node:crypto';
import { MillraceError } from '../errors.ts';

/** Runs `task(0)` … `task(count - 1)`, at most `window` at a time; the first error ends it. */
export async function windowed(count: number, window: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      try {
        await task(index);
      } catch (thrown) {
        next = count;
        throw thrown;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(window, count) }, lane));
}

/** SHA-256 of a blob, by the native implementation (about 1-2 GB/s). */
export function blobDigest(data: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(data).digest());
}

/** How many chunks of at most `chunkBytes` a blob of `bytes` takes; an empty blob takes none. */
export function chunkCount(bytes: number, chunkBytes: number): number {
  return Math.ceil(bytes / chunkBytes);
}

/** Puts chunks that arrive in any order into one blob; every chunk but the last is as long as the first. */
export class Assembly {
  private readonly blob: Uint8Array;
  private readonly chunks: number;
  private readonly name: string;
  private readonly seen = new Set<number>();

  constructor(bytes: number, chunks: number, name: string) {
    this.blob = new Uint8Array(bytes);
    this.chunks = chunks;
    this.name = name;
  }

  /** Chunks that have not come. */
  get missing(): number {
    return this.chunks - this.seen.size;
  }

  /** `data_loss` when the chunk does not fit in its place. */
  add(index: number, data: Uint8Array): void {
    const total = this.blob.byteLength;
    // The length of a chunk follows from that of any: all but the last are the same.
    const offset = index < this.chunks - 1 ? index * data.byteLength : total - data.byteLength;
    if (!(index >= 0 && index < this.chunks && offset >= 0 && offset + data.byteLength <= total)) {
      throw new MillraceError('data_loss', `chunk ${index} of ${this.name} does not fit in its place`);
    }
    this.blob.set(data, offset);
    this.seen.add(index);
  }

  /** The whole blob: `data_loss` when its SHA-256 is another. */
  finish(expected: Uint8Array): Uint8Array {
    const sum = blobDigest(this.blob);
    if (!Buffer.from(sum).equals(expected))
      throw new MillraceError('data_loss', `${this.name}: its SHA-256 is not the manifest's`);
    return this.blob;
  }
}
