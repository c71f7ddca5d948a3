import type { ArtifactStore } from '../artifacts/artifacts.ts';
import { sha256 } from '../artifacts/digest.ts';
import { MillraceError } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { nodeFiles } from '../files/node-files.ts';
import type { Parameters } from '../policy/policy.ts';
import {
  type Checkpoint,
  type CheckpointManifest,
  EXPLORATION,
  FORMAT,
  MANIFEST,
  MODEL,
  OPTIMIZER,
  REFERENCE,
  type SavedCheckpoint,
  TRAINED,
  TRAINING,
} from './checkpoint.ts';
import { encodeSafetensors, type StoredTensor } from '../tensor-files/safetensors.ts';
import { encodeTrainingState } from './training-state.ts';
import { writeFolder, type FolderFile } from './write-folder.ts';

/** Options of {@link saveCheckpoint}. */
export interface SaveOptions {
  /** Also keeps the content of every file under its digest; on the same file system the folder's files are links to it. Default: none. */
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
): Promise<SavedCheckpoint> {
  try {
    const { saved, content } = await store(checkpoint, artifacts);
    await writeFolder(files, path, content);
    return saved;
  } catch (error) {
    throw new MillraceError('internal', `checkpoint ${path} could not be written: ${(error as Error).message}`, { cause: error });
  }
}

/** Keeps a checkpoint as artifacts only, the manifest last: whoever has its digest has all of it. Throws as {@link ArtifactStore.put} does. */
export async function storeCheckpoint(artifacts: ArtifactStore, checkpoint: Checkpoint): Promise<SavedCheckpoint> {
  return (await store(checkpoint, artifacts)).saved;
}

async function store(
  { spec, parameters, trained, optimizer, exploration, training, reference, meta }: Checkpoint,
  artifacts: ArtifactStore | undefined,
): Promise<{ saved: SavedCheckpoint; content: Record<string, FolderFile> }> {
  const content: Record<string, FolderFile> = {};
  const digests: Record<string, string> = {};
  let bytes = 0;
  const add = async (name: string, part: Uint8Array): Promise<string> => {
    const digest = artifacts ? (await artifacts.put(part)).digest : sha256(part);
    content[name] = { bytes: part, sameAs: artifacts?.pathOf?.(digest) };
    bytes += part.byteLength;
    return digest;
  };
  digests[MODEL] = await add(MODEL, encodeSafetensors(named(parameters, parameters.values)));
  if (trained) digests[TRAINED] = await add(TRAINED, encodeSafetensors(named(parameters, trained)));
  if (optimizer) {
    const moments = [...named(parameters, optimizer.m, 'm.'), ...named(parameters, optimizer.v, 'v.')];
    digests[OPTIMIZER] = await add(OPTIMIZER, encodeSafetensors(moments));
  }
  if (exploration) digests[EXPLORATION] = await add(EXPLORATION, exploration);
  if (training) digests[TRAINING] = await add(TRAINING, encodeTrainingState(training));
  if (reference) digests[REFERENCE] = await add(REFERENCE, encodeSafetensors(named(parameters, reference)));
  const manifest: CheckpointManifest = {
    ...{ format: FORMAT, spec, meta },
    ...(optimizer && { optimizerStep: optimizer.step }),
    files: digests,
  };
  const digest = await add(MANIFEST, Buffer.from(JSON.stringify(manifest, null, 2)));
  return { saved: { digest, bytes }, content };
}

function named(parameters: Parameters, values: Float32Array, prefix = ''): StoredTensor[] {
  return parameters.tensors.map(({ name, shape, offset, size }) => ({
    name: prefix + name,
    shape,
    values: values.subarray(offset, offset + size),
  }));
}
