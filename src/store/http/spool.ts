import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { open, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const CHUNK_BYTES = 256 * 1024;
/** How often a file that grows is looked at. */
const LOOK_MS = 20;

/** A folder of files that live as long as a request: results on their way to a client, rows on their way to the engine. */
export class Spool {
  readonly #folder: string;

  /** Empties the folder: what a process that died left there belongs to nobody. */
  constructor(folder: string) {
    this.#folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** A file that is not there yet. */
  file(): SpoolFile {
    return new SpoolFile(join(this.#folder, randomUUID()));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** One file of a {@link Spool}. */
export class SpoolFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Bytes so far; undefined before it is there. */
  async size(): Promise<number | undefined> {
    try {
      return (await stat(this.path)).size;
    } catch {
      return undefined;
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return writeFile(this.path, bytes);
  }

  /** Resolves when `done` has settled, or when there are `bytes` of it. */
  async reaches(bytes: number, done: Promise<unknown>): Promise<void> {
    let settled = false;
    const end = done.then(
      () => void (settled = true),
      () => void (settled = true),
    );
    while (!settled && ((await this.size()) ?? 0) < bytes) await Promise.race([end, pause(LOOK_MS)]);
  }

  /** What is written into it, as it comes, until `done` has settled; then throws what `done` rejected with. */
  async *follow(done: Promise<unknown>): AsyncGenerator<Buffer, void, undefined> {
    let settled = false;
    const end = done.then(
      () => void (settled = true),
      () => void (settled = true),
    );
    while (!settled && (await this.size()) === undefined) await Promise.race([end, pause(LOOK_MS)]);
    if ((await this.size()) !== undefined) {
      const handle = await open(this.path, 'r');
      try {
        for (;;) {
          // Looked at before reading: what is there then is all when nothing comes.
          const last = settled;
          const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES);
          if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
          else if (last) break;
          else await Promise.race([end, pause(LOOK_MS)]);
        }
      } finally {
        await handle.close();
      }
    }
    await done;
  }

  remove(): Promise<void> {
    return rm(this.path, { force: true });
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
