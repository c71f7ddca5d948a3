import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { literal } from './engine.ts';

/** Characters that make a pattern of a file name in the engine's SQL. */
export const GLOB = /[*?{}[\]]/;

/**
 * Packed blocks on their way into the embedded engine. As text inside an INSERT every byte is parsed and copied with the
 * statement, several times over; from a file the engine reads, and inflates, the rows alone: half the processor time for one
 * insert. The files are never synced and live as long as an insert, so they stay in the page cache.
 */
export class Incoming {
  readonly #parent: string;
  #folder: string | undefined;
  #count = 0;

  /** @param parent - folder of the store; the files lie in a folder of it, which is emptied at the first use. */
  constructor(parent: string) {
    this.#parent = parent;
  }

  /** Runs `insert` with the file of these rows, as a literal of SQL, and removes the file. */
  async hand<T>(rows: Uint8Array, insert: (file: string) => Promise<T>): Promise<T> {
    this.#folder ??= openFolder(this.#parent);
    const file = join(this.#folder, `${(this.#count += 1)}.gz`);
    try {
      // In one go: a few megabytes into memory, and Node's threads for files may be busy with questions to the engine.
      writeFileSync(file, rows);
      return await insert(literal(file));
    } finally {
      rmSync(file, { force: true });
    }
  }

  close(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}

function openFolder(parent: string): string {
  const own = join(parent, 'incoming');
  if (GLOB.test(own)) return mkdtempSync(join(tmpdir(), 'millrace-incoming-'));
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own);
  return own;
}
