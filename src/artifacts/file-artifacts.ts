import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { MillraceError } from '../errors.ts';
import { isMissing, namesIn, type FileInfo, type Files } from '../files/files.ts';
import { nodeFiles } from '../files/node-files.ts';
import {
  checkDigest,
  damagedArtifact,
  missingArtifact,
  type ArtifactContent,
  type ArtifactInfo,
  type ArtifactStore,
} from './artifacts.ts';
import { fileDigest } from './digest.ts';

/**
 * Artifacts as files, `<folder>/<first two digits>/<digest>`, readable by their owner only. Any number of processes may use one folder: a file appears by
 * renaming a draft that has been synced to the disk.
 */
export class FileArtifacts implements ArtifactStore {
  readonly #folder: string;
  readonly #files: Files;

  /**
   * @param folder - absolute; made when something is put
   * @param files - default: those of this machine
   */
  constructor(folder: string, files: Files = nodeFiles) {
    this.#folder = folder;
    this.#files = files;
  }

  pathOf(digest: string): string {
    return join(this.#folder, checkDigest(digest).slice(0, 2), digest);
  }

  async put(content: ArtifactContent): Promise<ArtifactInfo> {
    const files = this.#files;
    const draft = this.#draft();
    try {
      await files.makeFolder(dirname(draft), 0o700);
      const { digest, size } = await this.#writeDraft(draft, content);
      const written = await files.stat(draft);
      const path = this.pathOf(digest);
      if (await this.#renew(path, digest, size)) {
        await files.remove(draft);
      } else {
        await files.makeFolder(dirname(path), 0o700);
        await files.rename(draft, path);
      }
      // Of one that was there as well: whoever put it may not have come to this yet.
      await files.syncFolder(dirname(path));
      return { digest, size, putAt: (await files.stat(path).catch(() => written)).mtimeMs };
    } catch (thrown) {
      await files.remove(draft).catch(() => {});
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
      for await (const piece of this.#files.pieces(path)) {
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
    return (await this.#stat(this.pathOf(digest)))?.isFile === true;
  }

  async *list(): AsyncIterable<ArtifactInfo> {
    for (const part of await namesIn(this.#files, this.#folder)) {
      if (!/^[0-9a-f]{2}$/.test(part)) continue;
      for (const digest of await namesIn(this.#files, join(this.#folder, part))) {
        if (!/^[0-9a-f]{64}$/.test(digest)) continue;
        const found = await this.#stat(join(this.#folder, part, digest));
        if (found?.isFile) yield { digest, size: found.size, putAt: found.mtimeMs };
      }
    }
  }

  async remove(digest: string, { putBefore = Infinity }: { putBefore?: number } = {}): Promise<boolean> {
    const files = this.#files;
    const path = this.pathOf(digest);
    const before = await this.#stat(path);
    if (before === undefined || before.mtimeMs >= putBefore) return false;
    // Moved away before it is looked at again: a put from now on makes the file anew, one before this has renewed its time.
    const moved = this.#draft();
    await files.makeFolder(dirname(moved), 0o700);
    if (!(await files.rename(path, moved).then(() => true, ignoreMissing))) return false;
    const putMeanwhile = (await files.stat(moved)).mtimeMs >= putBefore;
    if (putMeanwhile) await files.rename(moved, path);
    else await files.remove(moved);
    return !putMeanwhile;
  }

  async removeDrafts(before: number): Promise<void> {
    const folder = join(this.#folder, 'drafts');
    for (const name of await namesIn(this.#files, folder)) {
      const path = join(folder, name);
      const written = (await this.#stat(path))?.mtimeMs ?? Infinity;
      if (written < before) await this.#files.remove(path);
    }
  }

  /** Path of a draft that is about to be made. */
  #draft(): string {
    return join(this.#folder, 'drafts', this.#files.uniqueName());
  }

  async #writeDraft(path: string, content: ArtifactContent): Promise<{ digest: string; size: number }> {
    const hash = createHash('sha256');
    let size = 0;
    const file = await this.#files.create(path, 0o600);
    try {
      const write = async (piece: Uint8Array): Promise<void> => {
        hash.update(piece);
        size += piece.byteLength;
        await file.write(piece);
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
  async #renew(path: string, digest: string, size: number): Promise<boolean> {
    if ((await this.#stat(path))?.size !== size || (await fileDigest(this.#files, path)) !== digest) return false;
    // Not there any more when it was removed meanwhile.
    return this.#files.touch(path).then(() => true, ignoreMissing);
  }

  #stat(path: string): Promise<FileInfo | undefined> {
    return this.#files.stat(path).catch(() => undefined);
  }
}

function ignoreMissing(thrown: unknown): false {
  if (isMissing(thrown)) return false;
  throw thrown;
}
