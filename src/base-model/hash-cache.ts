/** Hashes of tensors, kept from one process to the next: those of large models take seconds. */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { sha256 } from '../artifacts/digest.ts';

/** Name of a tensor, and the SHA-256 of its numbers. */
export type TensorHash = readonly [name: string, hash: string];

/** Options of {@link HashCache}. */
export interface HashCacheOptions {
  /** Folder for what is kept. Default: `~/.cache/millrace/digests`. */
  folder?: string;
  /** Bytes of weights from which on they are worth keeping. Default 16 MiB. */
  leastBytes?: number;
  /** So long ago files must have changed: one that was just written may change again without another time of change. Default 2000 ms. */
  settledMs?: number;
}

/** What files are known by. */
interface State {
  text: string;
  /** When the last one of them changed. */
  changedMs: number;
}

/** Version of what is kept. */
const FORMAT = 1;
const HASH = /^[0-9a-f]{64}$/;

/**
 * Remembers the hashes of the tensors in files. Files are known by path, device, inode, size and times of change: what is written anew,
 * or moved into their place, is hashed again. Where nothing can be kept, everything is hashed each time.
 */
export class HashCache {
  readonly #folder: string;
  readonly #leastBytes: number;
  readonly #settledMs: number;

  constructor({
    folder = join(homedir(), '.cache', 'millrace', 'digests'),
    leastBytes = 16 << 20,
    settledMs = 2000,
  }: HashCacheOptions = {}) {
    this.#folder = folder;
    this.#leastBytes = leastBytes;
    this.#settledMs = settledMs;
  }

  /**
   * Hashes of tensors, as they were computed before, or as `compute` gives them.
   *
   * @param files - what they depend on: all weights, and whatever says how they are read
   * @param names - the tensors, in the order in which `compute` gives them
   */
  async hashes(
    files: readonly string[],
    names: readonly string[],
    compute: () => Promise<TensorHash[]>,
  ): Promise<readonly TensorHash[]> {
    const before = await this.#stateOf(files);
    if (before === undefined) return compute();
    const place = join(this.#folder, `${sha256(Buffer.from(JSON.stringify([FORMAT, before.text, names])))}.json`);
    const kept = await read(place, names);
    if (kept !== undefined) return kept;
    const computed = await compute();
    // Not what was read while the files changed.
    if ((await this.#stateOf(files))?.text === before.text) await this.#keep(place, computed, before.changedMs);
    return computed;
  }

  /** What the files are known by; undefined where nothing is to be kept of them. */
  async #stateOf(files: readonly string[]): Promise<State | undefined> {
    try {
      const found = await Promise.all(files.map(async (file) => ({ file: resolve(file), ...(await identityOf(file)) })));
      const bytes = found.reduce((sum, { size }) => sum + Number(size), 0);
      return bytes >= this.#leastBytes
        ? { text: JSON.stringify(found), changedMs: Math.max(...found.map(({ changedMs }) => changedMs)) }
        : undefined;
    } catch {
      return undefined;
    }
  }

  async #keep(place: string, hashes: readonly TensorHash[], changedMs: number): Promise<void> {
    const partial = `${place}.${process.pid}`;
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFile(partial, JSON.stringify(hashes), { mode: 0o600 });
      const isSettled = (await stat(partial)).ctimeMs - changedMs >= this.#settledMs;
      await (isSettled ? rename(partial, place) : rm(partial));
    } catch {
      // It is computed again the next time.
      await rm(partial, { force: true }).catch(() => undefined);
    }
  }
}

async function identityOf(
  file: string,
): Promise<Record<'size' | 'device' | 'inode' | 'modified' | 'changed', string> & { changedMs: number }> {
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await stat(file, { bigint: true });
  const as = String;
  return {
    ...{ size: as(size), device: as(dev), inode: as(ino), modified: as(mtimeNs), changed: as(ctimeNs) },
    changedMs: Number(ctimeMs),
  };
}

/** What was kept; undefined where it is not there, or not what it should be. */
async function read(place: string, names: readonly string[]): Promise<TensorHash[] | undefined> {
  try {
    const kept = JSON.parse(await readFile(place, 'utf8')) as TensorHash[];
    const isWhole = kept.length === names.length && kept.every(([name, hash], i) => name === names[i] && HASH.test(hash));
    return isWhole ? kept : undefined;
  } catch {
    return undefined;
  }
}
