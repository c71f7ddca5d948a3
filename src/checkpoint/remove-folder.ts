import { basename, dirname, join } from 'node:path';
import { isMissing, type Files } from '../files/files.ts';

/**
 * Deletes a folder in one step: after a crash at any point it is there complete, or not there. What is left of it then has a name that
 * nobody takes for a checkpoint. One that is not there is no error.
 */
export async function removeFolder(files: Files, path: string): Promise<void> {
  const parent = dirname(path);
  const moved = join(parent, `.${basename(path)}.${files.uniqueName()}.tmp.old`);
  try {
    await files.rename(path, moved);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  // A folder that loses its files may otherwise be back under its name, without them.
  await files.syncFolder(parent);
  await files.remove(moved);
}
