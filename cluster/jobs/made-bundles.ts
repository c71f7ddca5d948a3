import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ArtifactStore } from '../../src/artifacts/artifacts.ts';

/** Sources of which it is remembered what they were made into. */
const MAX_SOURCES = 32;

interface Made {
  /** All files that the bundle was made of. */
  files: readonly string[];
  /** What they were, before and after it was made; undefined while they changed meanwhile, or are not known. */
  state: string | undefined;
  digest: string;
}

/**
 * Bundles that were made of files which are still the same: compiling a flow takes longer than all else that creates a job. Files are
 * the same if none of them, nor a folder that one lies in, was written to.
 */
export class MadeBundles {
  readonly #made = new Map<string, Made>();
  /** Looks at the files of known sources under way, and those that begin when they end. */
  readonly #looks = new Map<string, { now: Promise<string | undefined>; next?: Promise<string | undefined> }>();

  /**
   * The digest of a bundle, made by `make` unless it is known.
   *
   * @param sources - tells what it is made of from other sources
   * @param make - gives the files that it has read to its argument
   */
  async digestOf(
    sources: string,
    store: Pick<ArtifactStore, 'has'>,
    make: (onFiles: (files: readonly string[]) => void) => Promise<string>,
  ): Promise<string> {
    const known = this.#made.get(sources);
    const before = known && (await this.#look(sources, known.files));
    if (known && before !== undefined && known.state === before && (await store.has(known.digest))) return known.digest;
    let files: readonly string[] = [];
    const digest = await make((found) => (files = found));
    // Of files that were not known before it is not certain that they are still what was read.
    const state = before !== undefined && (await stateOf(files)) === before ? before : undefined;
    this.#made.delete(sources);
    this.#made.set(sources, { files, state, digest });
    const [oldest] = this.#made.keys();
    if (this.#made.size > MAX_SOURCES) this.#made.delete(oldest!);
    return digest;
  }

  /** Looks at files: one look for all who ask before it begins, so that a hundred jobs at once cost two. */
  #look(sources: string, files: readonly string[]): Promise<string | undefined> {
    const look = this.#looks.get(sources);
    if (look === undefined) return this.#begin(sources, files);
    look.next ??= look.now.then(() => this.#begin(sources, files));
    return look.next;
  }

  #begin(sources: string, files: readonly string[]): Promise<string | undefined> {
    const look = { now: stateOf(files) };
    this.#looks.set(sources, look);
    void look.now.then(() => this.#looks.get(sources) === look && this.#looks.delete(sources));
    return look.now;
  }
}

/** What tells files, and the folders that they lie in, from later states of them; undefined when one is not there. */
async function stateOf(files: readonly string[]): Promise<string | undefined> {
  const paths = [...new Set(files.flatMap((file) => [file, dirname(file)]))].sort();
  try {
    const states = await Promise.all(
      paths.map(async (path) => {
        const { ino, size, mtimeNs, ctimeNs, mode } = await stat(path, { bigint: true });
        return `${path} ${ino} ${size} ${mtimeNs} ${ctimeNs} ${mode}`;
      }),
    );
    return states.join('\n');
  } catch {
    return undefined;
  }
}
