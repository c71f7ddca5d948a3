import { join } from 'node:path';
import { artifactBytes, type ArtifactStore } from '../artifacts/artifacts.ts';
import { sha256 } from '../artifacts/digest.ts';
import { MillraceError } from '../errors.ts';
import type { Files } from '../files/files.ts';
import type { PolicySpec } from '../policy/kind.ts';
import { DEFAULT_KIND } from '../policy/registry.ts';
import { type CheckpointManifest, FORMAT, MANIFEST } from './checkpoint.ts';

/** What is read of a store of artifacts. */
export type ArtifactReader = Pick<ArtifactStore, 'get'>;

/** Where the files of one checkpoint are read. */
export interface CheckpointSource {
  /** The checkpoint in words. */
  readonly name: string;
  /** A file in words. */
  nameOf(file: string): string;
  /** The manifest's bytes. */
  manifest(): Promise<Uint8Array>;
  /** Another file's bytes; not checked yet. */
  read(file: string, digest: string): Promise<Uint8Array>;
}

/** A checkpoint that is a folder. */
export function folderSource(path: string, files: Files): CheckpointSource {
  const nameOf = (file: string): string => join(path, file);
  return { name: path, nameOf, manifest: () => files.read(nameOf(MANIFEST)), read: (file) => files.read(nameOf(file)) };
}

/** A checkpoint of a store of artifacts, by the digest of its manifest. */
export function artifactSource(artifacts: ArtifactReader, digest: string): CheckpointSource {
  const name = `checkpoint ${digest.slice(0, 12)}`;
  return {
    name,
    nameOf: (file) => `${name}: ${file}`,
    manifest: () => artifactBytes(artifacts, digest),
    read: (_, part) => artifactBytes(artifacts, part),
  };
}

/** What a checkpoint's manifest says. `not_found` when there is none, `data_loss` when it is damaged, `failed_precondition` when another version of Millrace wrote it. */
export async function manifestOf(source: CheckpointSource): Promise<CheckpointManifest> {
  const file = source.nameOf(MANIFEST);
  let text: string;
  try {
    text = Buffer.from(await source.manifest()).toString('utf8');
  } catch (error) {
    throwOther(error);
    throw new MillraceError('not_found', `${source.name} is not a checkpoint: ${MANIFEST} cannot be read (${reason(error)})`, {
      cause: error,
      field: 'checkpoint',
    });
  }
  let manifest: Partial<CheckpointManifest> | null;
  try {
    manifest = JSON.parse(text) as Partial<CheckpointManifest> | null;
  } catch (error) {
    throw new MillraceError('data_loss', `${file} is damaged: ${(error as Error).message}`, { cause: error });
  }
  if (typeof manifest?.format !== 'number') throw new MillraceError('data_loss', `${file} is damaged: it names no format`);
  if (manifest.format !== FORMAT) {
    const which = manifest.format > FORMAT ? 'a newer' : 'another';
    throw new MillraceError(
      'failed_precondition',
      `${which} version of Millrace wrote ${file} (format ${manifest.format}; this version reads ${FORMAT})`,
    );
  }
  if (
    typeof manifest.spec !== 'object' ||
    (manifest.spec as object | null) === null ||
    typeof manifest.files !== 'object' ||
    manifest.files === null
  ) {
    throw new MillraceError('data_loss', `${file} is damaged: it names no policy specification or no files`);
  }
  // Older builds knew planners only.
  const spec = { ...manifest.spec, kind: (manifest.spec as Partial<PolicySpec>).kind ?? DEFAULT_KIND };
  return { ...manifest, spec, meta: manifest.meta ?? {} } as CheckpointManifest;
}

/** A file of a checkpoint, checked. `data_loss` when it is missing or damaged. */
export async function fileOf(source: CheckpointSource, name: string, manifest: CheckpointManifest): Promise<Uint8Array> {
  const file = source.nameOf(name);
  const digest = manifest.files[name] ?? '';
  let bytes: Uint8Array;
  try {
    bytes = await source.read(name, digest);
  } catch (error) {
    throwOther(error);
    throw new MillraceError('data_loss', `the checkpoint is incomplete: ${file} cannot be read (${reason(error)})`, {
      cause: error,
    });
  }
  if (sha256(bytes) !== digest) {
    throw new MillraceError('data_loss', `${file} is damaged: its SHA-256 is not the one in ${MANIFEST}; use another checkpoint`);
  }
  return new Uint8Array(bytes);
}

/** Throws an error that says nothing about the file: a store that cannot be reached, or damage that it has found itself. */
function throwOther(error: unknown): void {
  if (error instanceof MillraceError && error.code !== 'not_found' && error.code !== 'invalid_argument') throw error;
}

function reason(error: unknown): string {
  return String((error instanceof MillraceError ? undefined : (error as { code?: string }).code) ?? (error as Error).message);
}
