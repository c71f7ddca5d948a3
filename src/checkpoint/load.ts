import { join } from 'node:path';
import { sha256 } from '../artifacts/digest.ts';
import { MillraceError } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { nodeFiles } from '../files/node-files.ts';
import type { PolicySpec } from '../policy/kind.ts';
import type { Parameters } from '../policy/policy.ts';
import { builtInKinds, DEFAULT_KIND, type PolicyKinds } from '../policy/registry.ts';
import { type Checkpoint, type CheckpointManifest, EXPLORATION, FORMAT, MANIFEST, MODEL, OPTIMIZER } from './checkpoint.ts';
import { decodeSafetensors } from './safetensors.ts';

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
export async function loadCheckpoint(
  path: string,
  { kinds = builtInKinds, files = nodeFiles }: LoadOptions = {},
): Promise<Checkpoint> {
  const manifest = await readManifest(path, files);
  const read = (name: string): Promise<Uint8Array> => readFileOf(files, path, name, manifest);
  const kind = kinds.of(manifest.spec);
  const model = decodeSafetensors(await read(MODEL), join(path, MODEL)).tensors;
  let layout: Parameters['tensors'];
  try {
    layout = kind.layout(manifest.spec) as Parameters['tensors'];
  } catch (error) {
    throw new MillraceError('data_loss', `${join(path, MANIFEST)}: ${MillraceError.from(error).message}`, { cause: error });
  }
  const values = assemble(layout, model, join(path, MODEL));
  const checkpoint: Checkpoint = { spec: manifest.spec, parameters: { tensors: layout, values }, meta: manifest.meta };
  if (EXPLORATION in manifest.files) checkpoint.exploration = await read(EXPLORATION);
  if (!(OPTIMIZER in manifest.files)) return checkpoint;
  const where = join(path, OPTIMIZER);
  const moments = decodeSafetensors(await read(OPTIMIZER), where).tensors;
  const optimizer = {
    m: assemble(layout, moments, where, 'm.'),
    v: assemble(layout, moments, where, 'v.'),
    step: manifest.optimizerStep ?? 0,
  };
  return { ...checkpoint, optimizer };
}

/** Reads a checkpoint of this machine and throws as {@link loadCheckpoint} does. Of a policy kind that is not built in, it does not check which tensors there are. */
export async function verifyCheckpoint(path: string): Promise<void> {
  const manifest = await readManifest(path);
  if (builtInKinds.has(manifest.spec.kind)) await loadCheckpoint(path);
  else for (const name of Object.keys(manifest.files)) await readFileOf(nodeFiles, path, name, manifest);
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
export async function readManifest(path: string, files: Files = nodeFiles): Promise<CheckpointManifest> {
  const file = join(path, MANIFEST);
  let text: string;
  try {
    text = Buffer.from(await files.read(file)).toString('utf8');
  } catch (error) {
    throw new MillraceError('not_found', `${path} is not a checkpoint: ${MANIFEST} cannot be read (${code(error)})`, {
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

async function readFileOf(files: Files, path: string, name: string, manifest: CheckpointManifest): Promise<Uint8Array> {
  const file = join(path, name);
  let bytes: Uint8Array;
  try {
    bytes = await files.read(file);
  } catch (error) {
    throw new MillraceError('data_loss', `the checkpoint is incomplete: ${file} cannot be read (${code(error)})`, {
      cause: error,
    });
  }
  if (sha256(bytes) !== manifest.files[name]) {
    throw new MillraceError('data_loss', `${file} is damaged: its SHA-256 is not the one in ${MANIFEST}; use another checkpoint`);
  }
  return new Uint8Array(bytes);
}

/** One flat array in layout order. */
function assemble(layout: Parameters['tensors'], stored: Stored, file: string, prefix = ''): Float32Array {
  const byName = new Map(stored.map((tensor) => [tensor.name, tensor]));
  const values = new Float32Array(layout.reduce((sum, { size }) => sum + size, 0));
  for (const { name, shape, offset } of layout) {
    const tensor = byName.get(prefix + name);
    if (tensor?.shape.join() !== shape.join()) {
      const found = tensor ? `has shape [${tensor.shape.join(', ')}]` : 'is missing';
      throw new MillraceError(
        'data_loss',
        `${file}: tensor ${prefix}${name} ${found}, the specification in ${MANIFEST} needs [${shape.join(', ')}]`,
      );
    }
    values.set(tensor.values, offset);
  }
  return values;
}

function code(error: unknown): string {
  return String((error as { code?: string }).code ?? (error as Error).message);
}
