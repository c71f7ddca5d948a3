import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A file below a folder. */
export interface TreeFile {
  path: string;
  executable: boolean;
}

/** The file `path`, or every file below the folder `path`, links followed; undefined when there is neither. */
export async function filesAt(path: string): Promise<TreeFile[] | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (found.isFile()) return [{ path, executable: (found.mode & 0o100) !== 0 }];
  return found.isDirectory() ? filesBelow(path, []) : [];
}

/** @param above - real paths of the folders around, so that a link to one of them does not go round for ever */
async function filesBelow(folder: string, above: readonly string[]): Promise<TreeFile[]> {
  const real = await realpath(folder);
  if (above.includes(real)) return [];
  const files: TreeFile[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory()) files.push(...(await filesBelow(path, [...above, real])));
    else if (found?.isFile()) files.push({ path, executable: (found.mode & 0o100) !== 0 });
  }
  return files;
}
