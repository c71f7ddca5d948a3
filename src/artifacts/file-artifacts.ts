import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MillraceError } from '../errors.ts';
import {
  checkDigest,
  damagedArtifact,
  missingArtifact,
  type ArtifactContent,
  type ArtifactInfo,
  type ArtifactStore,
} from './artifacts.ts';
import { fileDigest, filePieces } from './digest.ts';

/**
 * Artifacts as files, `<folder>/<first two digits>/<digest>`, readable by their owner only. Any number of processes may use one folder: a file appears by
 * renaming a draft that has been synced to the disk.
 */
export class FileArtifacts implements ArtifactStore {
  readonly #folder: string;

  /** @param folder - absolute; made when something is put */
  constructor(folder: string) {
    this.#folder = folder;
  }

  pathOf(digest: string): string {
    return join(this.#folder, checkDigest(digest).slice(0, 2), digest);
  }

  async put(content: ArtifactContent): Promise<ArtifactInfo> {
    const draft = join(this.#folder, 'drafts', randomUUID());
    try {
      await mkdir(dirname(draft), { recursive: true, mode: 0o700 });
      const { digest, size } = await writeDraft(draft, content);
      const path = this.pathOf(digest);
      if (await renew(path, digest, size)) {
        await rm(draft, { force: true });
      } else {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        await rename(draft, path);
        await syncFolder(dirname(path));
      }
      return { digest, size, putAt: (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs };
    } catch (thrown) {
      await rm(draft, { force: true });
      const { message, code } = thrown as NodeJS.ErrnoException;
      const disk = code === 'ENOSPC' || code === 'EDQUOT';
      throw new MillraceError(
        disk ? 'resource_exhausted' : 'internal',
        `${this.#folder}: an artifact cannot be written: ${message}`,
        {
          cause: thrown,
        },
      );
    }
  }

  async *get(digest: string): AsyncIterable<Uint8Array> {
    const path = this.pathOf(digest);
    const hash = createHash('sha256');
    try {
      for await (const piece of filePieces(path)) {
        hash.update(piece);
        yield piece;
      }
    } catch (thrown) {
      if (isMissing(thrown)) throw missingArtifact(digest, this.#folder);
      throw new MillraceError('data_loss', `artifact ${digest} cannot be read: ${(thrown as Error).message}`, { cause: thrown });
    }
    if (hash.digest('hex') !== digest) throw damagedArtifact(digest, path);
  }

  async has(digest: string): Promise<boolean> {
    return (await stat(this.pathOf(digest)).catch(() => undefined))?.isFile() === true;
  }

  async *list(): AsyncIterable<ArtifactInfo> {
    for (const part of await names(this.#folder)) {
      if (!/^[0-9a-f]{2}$/.test(part)) continue;
      for (const digest of await names(join(this.#folder, part))) {
        if (!/^[0-9a-f]{64}$/.test(digest)) continue;
        const found = await stat(join(this.#folder, part, digest)).catch(() => undefined);
        if (found?.isFile()) yield { digest, size: found.size, putAt: found.mtimeMs };
      }
    }
  }

  async remove(digest: string, { putBefore = Infinity }: { putBefore?: number } = {}): Promise<boolean> {
    const path = this.pathOf(digest);
    const before = await stat(path).catch(() => undefined);
    if (before === undefined || before.mtimeMs >= putBefore) return false;
    // Moved away before it is looked at again: a put from now on makes the file anew, one before this has renewed its time.
    const moved = join(this.#folder, 'drafts', randomUUID());
    await mkdir(dirname(moved), { recursive: true, mode: 0o700 });
    if (!(await rename(path, moved).then(() => true, ignoreMissing))) return false;
    const putMeanwhile = (await stat(moved)).mtimeMs >= putBefore;
    if (putMeanwhile) await rename(moved, path);
    else await rm(moved, { force: true });
    return !putMeanwhile;
  }

  async removeDrafts(before: number): Promise<void> {
    const folder = join(this.#folder, 'drafts');
    for (const name of await names(folder)) {
      const path = join(folder, name);
      const written = (await stat(path).catch(() => undefined))?.mtimeMs ?? Infinity;
      if (written < before) await rm(path, { force: true });
    }
  }
}

async function writeDraft(path: string, content: ArtifactContent): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    const write = async (piece: Uint8Array): Promise<void> => {
      hash.update(piece);
      size += piece.byteLength;
      await file.writeFile(piece);
    };
    if (content instanceof Uint8Array) await write(content);
    else for await (const piece of content) await write(piece);
    await file.sync();
  } finally {
    await file.close();
  }
  return { digest: hash.digest('hex'), size };
}

/** Whether the same content is there already, and undamaged: then it counts as put now, and what links to it goes on sharing it. */
async function renew(path: string, digest: string, size: number): Promise<boolean> {
  if ((await stat(path).catch(() => undefined))?.size !== size || (await fileDigest(path)) !== digest) return false;
  const now = new Date();
  // Not there any more when it was removed meanwhile.
  return utimes(path, now, now).then(() => true, ignoreMissing);
}

/** Makes a rename in a folder outlast a crash of the machine. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === 'ENOENT';
}

function ignoreMissing(thrown: unknown): false {
  if (isMissing(thrown)) return false;
  throw thrown;
}
