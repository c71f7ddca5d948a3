import type { ArtifactStore } from '../artifacts/artifacts.ts';
import { sha256 } from '../artifacts/digest.ts';
import { MillraceError } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { nodeFiles } from '../files/node-files.ts';
import type { Parameters } from '../policy/policy.ts';
import { type Checkpoint, type CheckpointManifest, EXPLORATION, FORMAT, MANIFEST, MODEL, OPTIMIZER } from './checkpoint.ts';
import { encodeSafetensors, type StoredTensor } from './safetensors.ts';
import { writeFolder, type FolderFile } from './write-folder.ts';

/** Options of {@link saveCheckpoint}. */
export interface SaveOptions {
  /** Also keeps the content of every file but the manifest under its digest; on the same file system the folder's files are links to it. Default: none. */
  artifacts?: ArtifactStore;
  /** Default: those of this machine. */
  files?: Files;
}

/**
 * Writes a checkpoint as the folder `path`, which is made (with its parents) or replaced, in one step: a crash leaves no half
 * checkpoint. `internal` (not retryable) when it cannot be written.
 */
export async function saveCheckpoint(
  path: string,
  checkpoint: Checkpoint,
  { artifacts, files = nodeFiles }: SaveOptions = {},
): Promise<void> {
  const { spec, parameters, optimizer, exploration, meta } = checkpoint;
  const parts: Record<string, Uint8Array> = { [MODEL]: encodeSafetensors(named(parameters, parameters.values)) };
  if (optimizer) {
    parts[OPTIMIZER] = encodeSafetensors([...named(parameters, optimizer.m, 'm.'), ...named(parameters, optimizer.v, 'v.')]);
  }
  if (exploration) parts[EXPLORATION] = exploration;
  try {
    const content: Record<string, FolderFile> = {};
    const digests: Record<string, string> = {};
    for (const [name, bytes] of Object.entries(parts)) {
      const digest = artifacts ? (await artifacts.put(bytes)).digest : sha256(bytes);
      digests[name] = digest;
      content[name] = { bytes, sameAs: artifacts?.pathOf?.(digest) };
    }
    const manifest: CheckpointManifest = {
      ...{ format: FORMAT, spec, meta },
      ...(optimizer && { optimizerStep: optimizer.step }),
      files: digests,
    };
    await writeFolder(files, path, { ...content, [MANIFEST]: { bytes: Buffer.from(JSON.stringify(manifest, null, 2)) } });
  } catch (error) {
    throw new MillraceError('internal', `checkpoint ${path} could not be written: ${(error as Error).message}`, { cause: error });
  }
}

function named(parameters: Parameters, values: Float32Array, prefix = ''): StoredTensor[] {
  return parameters.tensors.map(({ name, shape, offset, size }) => ({
    name: prefix + name,
    shape,
    values: values.subarray(offset, offset + size),
  }));
}
