import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';
import { openSafetensors, type TensorFile } from '../../tensor-files/tensor-file.ts';
import { layoutOf, type ModelConfig } from '../config.ts';
import { checkTensors } from '../tensors.ts';
import { readOptionalJson } from './json-file.ts';

const INDEX = 'model.safetensors.index.json';
const SINGLE = 'model.safetensors';
const LARGEST_INDEX = 1 << 24;
/** Names of shards are names of files in this folder, nothing else. */
const SHARD = /^[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors$/;

/** Weights of a folder, in one safetensors file or several. */
export interface Weights {
  /** Paths of the files. */
  readonly files: readonly string[];
  read(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens them, and checks that they are all there with the right shapes. Throws as `openBaseModel` does. */
export async function openWeights(folder: string, config: ModelConfig): Promise<Weights> {
  const opened: TensorFile[] = [];
  const close = async (): Promise<void> => {
    for (const file of opened) await file.close();
  };
  try {
    const files = (await shardsOf(folder)).map((name) => join(folder, name));
    for (const file of files) opened.push(await openSafetensors(file));
    const places = new Map(
      opened.flatMap((file) => [...file.entries.values()].map((entry) => [entry.name, { file, entry }] as const)),
    );
    checkTensors(layoutOf(config), new Map([...places].map(([name, { entry }]) => [name, entry])), {
      path: folder,
      // The frequencies of rotary positions, which old versions stored, and a head that is the embedding.
      ignored: (name) => name.endsWith('.rotary_emb.inv_freq') || (config.tied && name === 'lm_head.weight'),
    });
    return {
      files,
      close,
      read(name) {
        const { file, entry } = places.get(name)!;
        return file.read(entry);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Names of the files with weights. */
async function shardsOf(folder: string): Promise<string[]> {
  const index = await readOptionalJson(join(folder, INDEX), LARGEST_INDEX);
  if (index === undefined) return single(folder);
  const map = index['weight_map'];
  const names = typeof map === 'object' && map !== null ? [...new Set<unknown>(Object.values(map))] : [];
  const wrong = names.find((name) => typeof name !== 'string' || !SHARD.test(name));
  if (names.length === 0 || wrong !== undefined) {
    throw new MillraceError('data_loss', `${join(folder, INDEX)}: weight_map does not name safetensors files of the folder`);
  }
  return (names as string[]).sort();
}

async function single(folder: string): Promise<string[]> {
  const has = (name: string): Promise<boolean> =>
    access(join(folder, name)).then(
      () => true,
      () => false,
    );
  if (await has(SINGLE)) return [SINGLE];
  const pickled = (await has('pytorch_model.bin')) || (await has('pytorch_model.bin.index.json'));
  const hint = pickled ? '; pytorch_model.bin is not supported: save the model with safe_serialization=True' : '';
  throw new MillraceError('not_found', `${folder} has neither ${SINGLE} nor ${INDEX}${hint}`, { field: 'base' });
}
