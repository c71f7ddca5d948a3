import { join } from 'node:path';
import type { ArtifactStore } from '../../src/artifacts/artifacts.ts';
import type { S3Address } from '../../src/artifacts/s3/address.ts';
import { FileArtifacts } from '../../src/artifacts/file-artifacts.ts';
import { readManifest, readStoredManifest } from '../../src/checkpoint/load.ts';
import { MillraceError } from '../../src/errors.ts';
import { namesIn, type Files } from '../../src/files/files.ts';
import { nodeFiles } from '../../src/files/node-files.ts';
import type { JobDirectory } from './directory.ts';

/**
 * Artifacts of a state folder, shared by the nodes of a machine.
 * @param files - default: those of this machine
 */
export function artifactsOf(stateDir: string, files: Files = nodeFiles): FileArtifacts {
  return new FileArtifacts(join(stateDir, 'artifacts'), files);
}

/** Artifacts in an S3 store, shared by the nodes of several machines. @param stateDir - for what is on its way */
export async function openRemoteArtifacts(stateDir: string, address: S3Address): Promise<ArtifactStore> {
  const { openS3Artifacts } = await import('../../src/artifacts/s3/s3-artifacts.ts');
  return openS3Artifacts({ ...address, spool: join(stateDir, 'uploads') });
}

/** Artifacts in a folder that several hosts mount. It has no paths to link to: it may be another file system than that of a state folder. */
export function sharedArtifacts(folder: string, files: Files = nodeFiles): ArtifactStore {
  const store = new FileArtifacts(folder, files);
  return {
    put: (content) => store.put(content),
    get: (digest) => store.get(digest),
    has: (digest) => store.has(digest),
    list: () => store.list(),
    remove: (digest, options) => store.remove(digest, options),
    removeDrafts: (before) => store.removeDrafts(before),
  };
}

/** What a checkpoint's folder refers to. */
export interface CheckpointReferences {
  /** Digests of its files. */
  files: string[];
  /** Digest of the bundle of the flow that it is of, where its writer knew one. */
  code: string | undefined;
}

/** What the folders of checkpoints refer to. One whose manifest cannot be read is left out: its files are links of their own. */
export async function folderReferences(stateDir: string, files: Files): Promise<CheckpointReferences[]> {
  const references: CheckpointReferences[] = [];
  const root = join(stateDir, 'checkpoints');
  for (const job of await namesIn(files, root)) {
    for (const name of await namesIn(files, join(root, job))) {
      const manifest = await readManifest(join(root, job, name), files).catch(() => undefined);
      if (manifest === undefined) continue;
      const { code } = manifest.meta;
      references.push({ files: Object.values(manifest.files), code: typeof code === 'string' ? code : undefined });
    }
  }
  return references;
}

/** Digests of files by that of their manifest: content never changes, so that each is read once. */
const known = new WeakMap<ArtifactStore, Map<string, string[]>>();

/** Digests of the files of a checkpoint of the artifacts; none when its manifest is gone or damaged: nobody can read it any more. */
export async function storedReferences(artifacts: ArtifactStore, digest: string): Promise<string[]> {
  let byDigest = known.get(artifacts);
  if (byDigest === undefined) known.set(artifacts, (byDigest = new Map<string, string[]>()));
  const found = byDigest.get(digest);
  if (found !== undefined) return found;
  try {
    const files = Object.values((await readStoredManifest(artifacts, digest)).files);
    byDigest.set(digest, files);
    return files;
  } catch (thrown) {
    if (MillraceError.from(thrown).retryable) throw thrown;
    return [];
  }
}

/** Digests that the records of jobs refer to, other than those of bundles: manifests of checkpoints and their files, queries. */
export async function referencedArtifacts({
  artifacts,
  jobs,
}: {
  artifacts: ArtifactStore;
  jobs: Pick<JobDirectory, 'list'>;
}): Promise<Set<string>> {
  const manifests = jobs
    .list()
    .flatMap(({ record: { checkpoints, initialCheckpoint, forked } }) => [
      ...(forked === undefined ? [] : [forked.digest]),
      ...checkpoints.map(({ digest }) => digest),
      ...(initialCheckpoint === undefined ? [] : [initialCheckpoint]),
    ]);
  const kept = new Set(jobs.list().flatMap(({ record }) => record.queries ?? []));
  for (const digest of new Set(manifests))
    for (const part of [digest, ...(await storedReferences(artifacts, digest))]) kept.add(part);
  return kept;
}
