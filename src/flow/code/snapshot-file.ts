import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MillraceError } from '../../errors.ts';
import { dataDigest, fileDigest, sha256 } from './digest.ts';
import { packageVersion } from './packages.ts';
import { digestParts, SNAPSHOT_PARAMETER, type CodeSnapshot } from './snapshot.ts';

/** Where the snapshot with a digest lies in a folder of snapshots. */
export function snapshotFile(folder: string, digest: string): string {
  return join(folder, `${digest}.json`);
}

/** Writes a snapshot, in place of one that may be damaged; returns its file. */
export async function writeSnapshot(folder: string, snapshot: CodeSnapshot): Promise<string> {
  const file = snapshotFile(folder, snapshot.digest);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const partial = `${file}.${process.pid}.partial`;
  await writeFile(partial, JSON.stringify(snapshot), { mode: 0o600 });
  await rename(partial, file);
  return file;
}

/** What is wrong with the code of a job: `unavailable` with this field, since it can be put back. */
export const CODE_FIELD = 'code';

function unusable(problem: string): MillraceError {
  return new MillraceError(
    'unavailable',
    `${problem}; put back what the job was created with, or cancel the job and create it anew`,
    { field: CODE_FIELD },
  );
}

/**
 * Reads a snapshot and checks it against its digest.
 * @throws MillraceError unavailable with field `code` when it is gone or damaged.
 */
export async function readSnapshot(file: string): Promise<CodeSnapshot> {
  let snapshot: CodeSnapshot;
  try {
    snapshot = JSON.parse(await readFile(file, 'utf8')) as CodeSnapshot;
    if (sha256(JSON.stringify(digestParts(snapshot))) !== snapshot.digest) throw new Error('its digest is another one');
  } catch (thrown) {
    throw unusable(`the code of the job cannot be read from ${file} (${(thrown as Error).message})`);
  }
  return snapshot;
}

/**
 * Checks what is not run from the snapshot itself: files that are loaded from where they lie, and versions of packages.
 * @throws MillraceError unavailable with field `code` that names what has changed.
 */
export async function checkFiles({ files, packages }: CodeSnapshot): Promise<void> {
  for (const [path, digest] of Object.entries(files))
    if ((await fileDigest(path)) !== digest) throw unusable(`${path} has changed since the job was created`);
  for (const [folder, version] of Object.entries(packages)) {
    const now = await packageVersion(folder);
    if (now !== version) throw unusable(`package ${folder} was ${version} when the job was created and is ${now ?? 'gone'}`);
  }
}

/** The same for the job's data. */
export async function checkData({ data }: CodeSnapshot): Promise<void> {
  if (data !== undefined && (await dataDigest(data.path)) !== data.digest)
    throw unusable(`the data in ${data.path} has changed since the job was created`);
}

/** URL under which a module is imported from a snapshot (see resolve-hook.mjs). It keeps the path that the module lies at. */
export function snapshotUrl(module: string, file: string): string {
  const url = pathToFileURL(module);
  url.searchParams.set(SNAPSHOT_PARAMETER, file);
  return url.href;
}
