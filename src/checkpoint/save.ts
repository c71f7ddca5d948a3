import { createHash } from 'node:crypto';
import { MillraceError } from '../errors.ts';
import type { Parameters } from '../policy/policy.ts';
import { type Checkpoint, type CheckpointManifest, EXPLORATION, FORMAT, MANIFEST, MODEL, OPTIMIZER } from './checkpoint.ts';
import { writeFolder } from './files.ts';
import { encodeSafetensors, type StoredTensor } from './safetensors.ts';

/**
 * Writes a checkpoint as the folder `path`, which is made (with its parents) or replaced, in one step: a crash leaves no half
 * checkpoint. `internal` (not retryable) when it cannot be written.
 */
export async function saveCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const { spec, parameters, optimizer, exploration, meta } = checkpoint;
  const files: Record<string, Uint8Array> = { [MODEL]: encodeSafetensors(named(parameters, parameters.values)) };
  if (optimizer) {
    files[OPTIMIZER] = encodeSafetensors([...named(parameters, optimizer.m, 'm.'), ...named(parameters, optimizer.v, 'v.')]);
  }
  if (exploration) files[EXPLORATION] = exploration;
  const manifest: CheckpointManifest = {
    format: FORMAT,
    spec,
    meta,
    ...(optimizer && { optimizerStep: optimizer.step }),
    files: Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, sha256(bytes)])),
  };
  try {
    await writeFolder(path, { ...files, [MANIFEST]: Buffer.from(JSON.stringify(manifest, null, 2)) });
  } catch (error) {
    throw new MillraceError('internal', `checkpoint ${path} could not be written: ${(error as Error).message}`, { cause: error });
  }
}

/** SHA-256 in hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function named(parameters: Parameters, values: Float32Array, prefix = ''): StoredTensor[] {
  return parameters.tensors.map(({ name, shape, offset, size }) => ({
    name: prefix + name,
    shape,
    values: values.subarray(offset, offset + size),
  }));
}
