import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';

/** How long the file of an export that nobody reads any more is kept for whoever comes back with its cursor. */
const KEPT_MS = 10 * 60_000;
/** ... and after its last byte was sent: the last chunk may not have arrived. */
const KEPT_AFTER_END_MS = 60_000;
/** Files at once. */
const MOST_FILES = 8;

/** The files that exports are written to before they are sent, in a folder of the store's own. */
export class ExportFiles {
  readonly #folder: string;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #inUse = new Map<string, number>();

  /** What an earlier process left in the folder is removed. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#empty();
  }

  /** A new file's name; `resource_exhausted` when there are too many. The engine makes the file. */
  create(): string {
    if (this.#inUse.size + this.#timers.size >= MOST_FILES) {
      const message = `${MOST_FILES} exports to files are kept already; try again in a few minutes, or export JSON lines`;
      throw new MillraceError('resource_exhausted', message);
    }
    mkdirSync(this.#folder, { recursive: true });
    const name = randomUUID();
    this.#inUse.set(name, 1);
    return name;
  }

  pathOf(name: string): string {
    return join(this.#folder, name);
  }

  /** Takes up a file again; returns its bytes, or undefined when it is gone. */
  take(name: string): number | undefined {
    const size = statSync(this.pathOf(name), { throwIfNoEntry: false })?.size;
    if (size === undefined) return undefined;
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    this.#inUse.set(name, (this.#inUse.get(name) ?? 0) + 1);
    return size;
  }

  /** Ends the use of a file: `keep` it whole, for somebody who has read it to its `end` or only a part; else it is removed. */
  release(name: string, keep: 'end' | 'part' | undefined): void {
    const users = (this.#inUse.get(name) ?? 1) - 1;
    if (users > 0) {
      this.#inUse.set(name, users);
      return;
    }
    this.#inUse.delete(name);
    if (keep === undefined) return this.#remove(name);
    const timer = setTimeout(() => this.#remove(name), keep === 'end' ? KEPT_AFTER_END_MS : KEPT_MS);
    timer.unref();
    this.#timers.set(name, timer);
  }

  /** Removes all files. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#empty();
  }

  /** Not by removing the folder: a confined process may write in it, but not beside it. */
  #empty(): void {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder)) rmSync(join(this.#folder, name), { recursive: true, force: true });
  }

  #remove(name: string): void {
    this.#timers.delete(name);
    rmSync(this.pathOf(name), { force: true });
  }
}
