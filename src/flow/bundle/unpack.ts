import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { artifactBytes, type ArtifactStore } from '../../artifacts/artifacts.ts';
import { fileDigest } from '../../artifacts/digest.ts';
import { MillraceError } from '../../errors.ts';
import { nodeFiles } from '../../files/node-files.ts';
import { randomId } from '../../random/id.ts';
import type { Random } from '../../random/random.ts';
import { BUNDLE_FORMAT, unloadable, type BundleManifest, type UnpackedBundle } from './bundle.ts';

/**
 * The manifest of a bundle.
 * @throws MillraceError unavailable with field `code` when it is gone or damaged, failed_precondition when another version of Millrace made it
 */
export async function readBundle(digest: string, store: ArtifactStore): Promise<BundleManifest> {
  let manifest: BundleManifest;
  try {
    manifest = JSON.parse(Buffer.from(await artifactBytes(store, digest)).toString()) as BundleManifest;
  } catch (thrown) {
    throw unloadable(`the bundle of the flow cannot be loaded: ${MillraceError.from(thrown).message}`, thrown);
  }
  if (manifest.format === BUNDLE_FORMAT) return manifest;
  throw new MillraceError(
    'failed_precondition',
    `another version of Millrace made bundle ${digest} (format ${manifest.format}; this one reads ${BUNDLE_FORMAT})`,
  );
}

/**
 * Unpacks a bundle into `<folder>/<digest>`, unless it is there already and undamaged. Files are copies, and read-only: nothing that a flow does to them
 * reaches the store. Any number of processes may do this at the same time.
 * @throws MillraceError as {@link readBundle}, and unavailable with field `code` when an artifact is gone or damaged
 */
export async function unpackBundle(
  digest: string,
  store: ArtifactStore,
  { folder, random }: { folder: string; random: Random },
): Promise<UnpackedBundle> {
  const manifest = await readBundle(digest, store);
  const target = join(folder, digest);
  if (!(await isWhole(target, manifest))) await unpack(target, manifest, { store, random });
  const at = (path: string): string => join(target, path);
  return {
    ...{ digest, folder: target, flow: at(manifest.flow), rewards: manifest.rewards.map(at), source: at(manifest.source) },
    data: manifest.data === undefined ? undefined : at(manifest.data),
  };
}

/** How often an unpacked bundle is put in place: once for each process that may do so at the same time. */
const SWAPS = 50;

async function isWhole(folder: string, { files }: BundleManifest): Promise<boolean> {
  for (const [path, digest] of Object.entries(files))
    if ((await fileDigest(nodeFiles, join(folder, path))) !== digest) return false;
  return true;
}

async function unpack(
  target: string,
  manifest: BundleManifest,
  { store, random }: { store: ArtifactStore; random: Random },
): Promise<void> {
  const draft = `${target}.${randomId(random)}.draft`;
  try {
    await mkdir(draft, { recursive: true, mode: 0o700 });
    if (manifest.data !== undefined) await mkdir(dirname(join(draft, manifest.data)), { recursive: true, mode: 0o700 });
    for (const [path, digest] of Object.entries(manifest.files)) {
      const file = join(draft, path);
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      const mode = manifest.executable.includes(path) ? 0o500 : 0o400;
      await pipeline(store.get(digest), createWriteStream(file, { mode, flags: 'wx' })).catch((thrown: unknown) => {
        throw lost(path, thrown);
      });
    }
    // In place of one that is damaged. Other processes do the same: what they have made is as good, and may be moved away for a moment.
    for (let attempt = 0; !(await isWhole(target, manifest)); attempt += 1) {
      if (attempt === SWAPS) throw unloadable(`the bundle of the flow cannot be unpacked into ${target}`);
      await rename(target, `${draft}.old`).catch(() => undefined);
      await rename(draft, target).catch(() => undefined);
      await rm(`${draft}.old`, { recursive: true, force: true });
    }
  } finally {
    for (const left of [draft, `${draft}.old`]) await rm(left, { recursive: true, force: true });
  }
}

function lost(path: string, thrown: unknown): MillraceError {
  const { code, message } = MillraceError.from(thrown);
  const gone = code === 'not_found' || code === 'data_loss';
  if (gone) return unloadable(`the bundle of the flow cannot be loaded: ${path}: ${message}`, thrown);
  return new MillraceError('unavailable', `the bundle of the flow cannot be unpacked: ${path}: ${message}`, { cause: thrown });
}
