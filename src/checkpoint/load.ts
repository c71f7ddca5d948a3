import { join } from 'node:path';
import { MillraceError } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { nodeFiles } from '../files/node-files.ts';
import type { Parameters } from '../policy/policy.ts';
import { builtInKinds, type PolicyKinds } from '../policy/registry.ts';
import {
  type Checkpoint,
  type CheckpointManifest,
  EXPLORATION,
  MANIFEST,
  MODEL,
  OPTIMIZER,
  REFERENCE,
  TRAINED,
  TRAINING,
} from './checkpoint.ts';
import { decodeSafetensors } from '../tensor-files/safetensors.ts';
import { artifactSource, fileOf, folderSource, manifestOf, type ArtifactReader, type CheckpointSource } from './source.ts';
import { decodeTrainingState } from './training-state.ts';

/** Options of {@link loadCheckpoint}. */
export interface LoadOptions {
  /** Those that its policy may be of; `invalid_argument` when it is of another. Default: the built-in ones. */
  kinds?: PolicyKinds;
  /** Default: those of this machine. */
  files?: Files;
}

/**
 * Reads the checkpoint in the folder `path`. `not_found` when there is none; `data_loss` when a file is missing, damaged or
 * does not hold the tensors of the specification; `failed_precondition` when another version of Millrace wrote it.
 */
export function loadCheckpoint(path: string, { kinds = builtInKinds, files = nodeFiles }: LoadOptions = {}): Promise<Checkpoint> {
  return load(folderSource(path, files), kinds);
}

/**
 * Reads the checkpoint whose manifest is the artifact `digest`, from any machine that reaches the artifacts. Throws as {@link loadCheckpoint} does, and
 * `unavailable` while the artifacts cannot be reached.
 */
export function loadStoredCheckpoint(
  artifacts: ArtifactReader,
  digest: string,
  { kinds = builtInKinds }: Pick<LoadOptions, 'kinds'> = {},
): Promise<Checkpoint> {
  return load(artifactSource(artifacts, digest), kinds);
}

async function load(source: CheckpointSource, kinds: PolicyKinds): Promise<Checkpoint> {
  const manifest = await manifestOf(source);
  const read = (name: string): Promise<Uint8Array> => fileOf(source, name, manifest);
  const kind = kinds.of(manifest.spec);
  const model = decodeSafetensors(await read(MODEL), source.nameOf(MODEL)).tensors;
  let layout: Parameters['tensors'];
  try {
    layout = kind.layout(manifest.spec) as Parameters['tensors'];
  } catch (error) {
    throw new MillraceError('data_loss', `${source.nameOf(MANIFEST)}: ${MillraceError.from(error).message}`, { cause: error });
  }
  const values = assemble(layout, model, source.nameOf(MODEL));
  const checkpoint: Checkpoint = { spec: manifest.spec, parameters: { tensors: layout, values }, meta: manifest.meta };
  if (EXPLORATION in manifest.files) checkpoint.exploration = await read(EXPLORATION);
  if (TRAINING in manifest.files) checkpoint.training = decodeTrainingState(await read(TRAINING), source.nameOf(TRAINING));
  const weightsIn = async (name: string): Promise<Float32Array> => {
    const where = source.nameOf(name);
    return assemble(layout, decodeSafetensors(await read(name), where).tensors, where);
  };
  if (TRAINED in manifest.files) checkpoint.trained = await weightsIn(TRAINED);
  if (REFERENCE in manifest.files) checkpoint.reference = await weightsIn(REFERENCE);
  if (!(OPTIMIZER in manifest.files)) return checkpoint;
  const where = source.nameOf(OPTIMIZER);
  const moments = decodeSafetensors(await read(OPTIMIZER), where).tensors;
  const optimizer = {
    m: assemble(layout, moments, where, 'm.'),
    v: assemble(layout, moments, where, 'v.'),
    step: manifest.optimizerStep ?? 0,
  };
  return { ...checkpoint, optimizer };
}

/** Reads a checkpoint of this machine and throws as {@link loadCheckpoint} does. Of a policy kind that is not built in, it does not check which tensors there are. */
export function verifyCheckpoint(path: string): Promise<void> {
  return verify(folderSource(path, nodeFiles));
}

/** Reads a checkpoint of the artifacts as {@link verifyCheckpoint} does one of this machine. */
export function verifyStoredCheckpoint(artifacts: ArtifactReader, digest: string): Promise<void> {
  return verify(artifactSource(artifacts, digest));
}

async function verify(source: CheckpointSource): Promise<void> {
  const manifest = await manifestOf(source);
  if (builtInKinds.has(manifest.spec.kind)) await load(source, builtInKinds);
  else for (const name of Object.keys(manifest.files)) await fileOf(source, name, manifest);
}

/** Whether there is a checkpoint in the folder `path`; one that is there was written completely. */
export async function checkpointExists(path: string, files: Files = nodeFiles): Promise<boolean> {
  return files.stat(join(path, MANIFEST)).then(
    ({ isFile }) => isFile,
    () => false,
  );
}

type Stored = ReturnType<typeof decodeSafetensors>['tensors'];

/** What `manifest.json` in the folder `path` says. Throws as {@link loadCheckpoint} does. */
export function readManifest(path: string, files: Files = nodeFiles): Promise<CheckpointManifest> {
  return manifestOf(folderSource(path, files));
}

/** What the manifest under `digest` says. Throws as {@link loadStoredCheckpoint} does. */
export function readStoredManifest(artifacts: ArtifactReader, digest: string): Promise<CheckpointManifest> {
  return manifestOf(artifactSource(artifacts, digest));
}

/** One flat array in layout order. */
function assemble(layout: Parameters['tensors'], stored: Stored, file: string, prefix = ''): Float32Array {
  const byName = new Map(stored.map((tensor) => [tensor.name, tensor]));
  // All of them before anything is allocated: a damaged specification may ask for more than there is memory.
  const found = layout.map(({ name, shape, offset }) => {
    const tensor = byName.get(prefix + name);
    if (tensor?.shape.join() !== shape.join()) {
      const state = tensor ? `has shape [${tensor.shape.join(', ')}]` : 'is missing';
      throw new MillraceError(
        'data_loss',
        `${file}: tensor ${prefix}${name} ${state}, the specification in ${MANIFEST} needs [${shape.join(', ')}]`,
      );
    }
    return { offset, values: tensor.values };
  });
  const values = new Float32Array(layout.reduce((sum, { size }) => sum + size, 0));
  for (const tensor of found) values.set(tensor.values, tensor.offset);
  return values;
}
