import { basename, dirname, join } from 'node:path';
import { isMissing, type Files } from '../files/files.ts';

/** A file of a folder. */
export interface FolderFile {
  bytes: Uint8Array;
  /** Path of a synced file with the same content, which the new one becomes a link to. Default, and where that fails: written anew. */
  sameAs?: string | undefined;
}

/**
 * Makes the folder `path` with this content in one step: after a crash at any point the folder is there complete, or not
 * there (or, when one was replaced, the old one is). An existing folder is replaced.
 */
export async function writeFolder(files: Files, path: string, content: Readonly<Record<string, FolderFile>>): Promise<void> {
  const parent = dirname(path);
  const draft = join(parent, `.${basename(path)}.${files.uniqueName()}.tmp`);
  const replaced = `${draft}.old`;
  await files.makeFolder(draft);
  try {
    for (const [name, { bytes, sameAs }] of Object.entries(content)) {
      const linked = sameAs !== undefined && (await files.link(sameAs, join(draft, name)).then(() => true, never));
      if (!linked) await writeSynced(files, join(draft, name), bytes);
    }
    await files.syncFolder(draft);
    // A folder cannot be renamed onto one that has files: move that aside first.
    const hadOne = await files.rename(path, replaced).then(() => true, ignoreMissing);
    await files.rename(draft, path).catch(async (error: unknown) => {
      if (hadOne) await files.rename(replaced, path);
      throw error;
    });
    await files.syncFolder(parent);
    if (hadOne) await files.remove(replaced);
  } catch (error) {
    await files.remove(draft);
    throw error;
  }
}

async function writeSynced(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const file = await files.create(path);
  try {
    await file.write(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

function never(): false {
  return false;
}

function ignoreMissing(error: unknown): false {
  if (isMissing(error)) return false;
  throw error;
}
