import { randomUUID } from 'node:crypto';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A file of a folder. */
export interface FolderFile {
  bytes: Uint8Array;
  /** Path of a synced file with the same content, which the new one becomes a link to. Default, and where that fails: written anew. */
  sameAs?: string | undefined;
}

/**
 * Makes the folder `path` with these files in one step: after a crash at any point the folder is there complete, or not
 * there (or, when one was replaced, the old one is). An existing folder is replaced.
 */
export async function writeFolder(path: string, files: Readonly<Record<string, FolderFile>>): Promise<void> {
  const parent = dirname(path);
  const draft = join(parent, `.${basename(path)}.${randomUUID()}.tmp`);
  const replaced = `${draft}.old`;
  await mkdir(draft, { recursive: true });
  try {
    for (const [name, { bytes, sameAs }] of Object.entries(files)) {
      const linked = sameAs !== undefined && (await link(sameAs, join(draft, name)).then(() => true, never));
      if (!linked) await writeSynced(join(draft, name), bytes);
    }
    await syncFolder(draft);
    // A folder cannot be renamed onto one that has files: move that aside first.
    const hadOne = await rename(path, replaced).then(() => true, ignoreMissing);
    await rename(draft, path);
    await syncFolder(parent);
    if (hadOne) await rm(replaced, { recursive: true, force: true });
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function never(): false {
  return false;
}

function ignoreMissing(error: unknown): false {
  if ((error as { code?: string }).code === 'ENOENT') return false;
  throw error;
}
