import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { z } from 'zod';
import { MillraceError } from '../../src/errors.ts';

/** What stands beside a file that is not complete: how far it is good, and how to go on. */
const sidecar = z.object({
  /** What is exported; a file of something else is not gone on with. */
  of: z.string(),
  cursor: z.string(),
  /** Bytes written when the cursor came. */
  bytes: z.int().min(0),
});

/**
 * A file that takes its name when it is complete. Until then it is FILE.partial, with FILE.partial.cursor beside it after every
 * chunk, so that a process killed at any time leaves something to go on with.
 */
export class PartialFile {
  readonly path: string;
  readonly #partial: string;
  readonly #of: string;
  readonly #fd: number;
  #bytes = 0;
  #cursor = '';
  #open = true;

  private constructor(path: string, of: string, flags: string) {
    this.path = path;
    this.#partial = `${path}.partial`;
    this.#of = of;
    // Before anything is exported: what is complete takes this name, and a device must not lose its own.
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false)
      throw new MillraceError(
        'failed_precondition',
        `Cannot write ${path}: it is there already and is no file; give the name of one.`,
        {
          field: '--out',
        },
      );
    this.#fd = openSync(this.#partial, flags);
  }

  /** Begins a new file; what an earlier export left is written over. `of` names what is exported. */
  static create(path: string, of: string): PartialFile {
    return told(path, () => {
      const file = new PartialFile(path, of, 'w');
      rmSync(`${path}.partial.cursor`, { force: true });
      return file;
    });
  }

  /** Goes on with what an earlier export left. `failed_precondition` when there is nothing, or it is of something else. */
  static resume(path: string, of: string): PartialFile {
    const left = told(path, () =>
      existsSync(`${path}.partial.cursor`) ? sidecar.safeParse(readJson(`${path}.partial.cursor`)) : undefined,
    );
    const bytes = statSync(`${path}.partial`, { throwIfNoEntry: false })?.size;
    if (!left?.success || bytes === undefined || bytes < left.data.bytes)
      throw new MillraceError('failed_precondition', `There is no export to go on with at ${path}.partial; leave --resume out.`, {
        field: '--resume',
      });
    if (left.data.of !== of)
      throw new MillraceError(
        'failed_precondition',
        `${path}.partial is an export of something else; give the same options, or leave --resume out.`,
        {
          field: '--resume',
        },
      );
    return told(path, () => {
      const file = new PartialFile(path, of, 'r+');
      file.#bytes = left.data.bytes;
      file.#cursor = left.data.cursor;
      ftruncateSync(file.#fd, file.#bytes);
      return file;
    });
  }

  /** Of the last chunk that is in the file; '' at the beginning. */
  get cursor(): string {
    return this.#cursor;
  }

  get bytes(): number {
    return this.#bytes;
  }

  write(data: Uint8Array, cursor: string): void {
    told(this.path, () => {
      for (let at = 0; at < data.length;) at += writeSync(this.#fd, data, at, data.length - at, this.#bytes + at);
      this.#bytes += data.length;
      this.#cursor = cursor;
      const state = JSON.stringify({ of: this.#of, cursor, bytes: this.#bytes });
      // Renamed into place: a sidecar is never half of one.
      writeFileSync(`${this.#partial}.cursor.new`, state);
      renameSync(`${this.#partial}.cursor.new`, `${this.#partial}.cursor`);
    });
  }

  /** Begins again in the same file. */
  restart(): void {
    told(this.path, () => ftruncateSync(this.#fd, 0));
    this.#bytes = 0;
    this.#cursor = '';
  }

  /** Where it is until it is complete. */
  get partial(): string {
    return this.#partial;
  }

  /** Gives the file its name, or puts `finished`, which was made of it, in its place. */
  finish(finished: string = this.#partial): void {
    told(this.path, () => {
      this.#close();
      renameSync(finished, this.path);
      rmSync(`${this.#partial}.cursor`, { force: true });
      rmSync(this.#partial, { force: true });
    });
  }

  /** Leaves the file as it is, to be gone on with; without a chunk there is nothing to go on with, and no file is left. */
  leave(): void {
    this.#close();
    if (this.#cursor === '') rmSync(this.#partial, { force: true });
  }

  #close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Errors of the file system, with the file. */
function told<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof MillraceError) throw thrown;
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOSPC')
      throw new MillraceError('resource_exhausted', `The disk of ${path} is full.`, { cause: thrown, retryable: false });
    throw new MillraceError('failed_precondition', `Cannot write ${path}: ${message}`, { cause: thrown, field: '--out' });
  }
}
