/** Models with their trained numbers in place, as folders that other programs open. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';
import { withHome } from '../../files/home.ts';
import { writeSafetensors, type WrittenType } from '../../tensor-files/write-safetensors.ts';
import { adapterNames, moduleName, PROJECTIONS, type AdapterShape } from '../adapter/shape.ts';
import type { BaseModel } from '../base-model.ts';
import { layerTensor, layoutOf, type ModelConfig } from '../config.ts';
import { trainedTensors, sizeOf, type Training } from '../training/trained.ts';

/** Trained numbers, tensor after tensor of `trainedTensors`. */
export interface TrainedNumbers {
  train: Training;
  values: Float32Array;
}

/** Files beside the weights: they are copied as they are. */
const COPIED = [
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'generation_config.json',
  'special_tokens_map.json',
];
const TYPE_NAMES: Record<WrittenType, string> = { F32: 'float32', BF16: 'bfloat16' };

/** How a merged model is written. */
export interface MergedOptions {
  type: WrittenType;
  /** Its files but for the weights. Default: those of the folder that it was opened from. */
  files?: Readonly<Record<string, string>>;
}

/**
 * Writes a model in the layout of Hugging Face into an empty folder: its own files, and `model.safetensors` with what was trained in it. An adapter is
 * added to the products that it changes: W + (alpha / rank) BA.
 *
 * `failed_precondition` where the model is a GGUF file: there is no `config.json` and `tokenizer.json` to copy.
 */
export async function writeMerged(
  model: BaseModel,
  trained: TrainedNumbers,
  folder: string,
  { type, files }: MergedOptions,
): Promise<void> {
  const { 'config.json': own, ...others } = files ?? (await filesOf(model));
  const config = JSON.parse(own!) as Record<string, unknown>;
  const dtype = 'dtype' in config ? 'dtype' : 'torch_dtype';
  await writeFile(join(folder, 'config.json'), `${JSON.stringify({ ...config, [dtype]: TYPE_NAMES[type] }, undefined, 2)}\n`);
  for (const [name, text] of Object.entries(others)) await writeFile(join(folder, name), text);
  const plan = { tensors: layoutOf(model.config), type, metadata: { format: 'pt' } };
  await writeSafetensors(join(folder, 'model.safetensors'), plan, mergedTensors(model, trained));
}

/** A model's own files but for the weights, those of them that it has. */
async function filesOf(model: BaseModel): Promise<Record<string, string>> {
  const from = withHome(model.path);
  if (!(await stat(from)).isDirectory()) {
    throw new MillraceError(
      'failed_precondition',
      `the base model ${from} is a GGUF file: a folder as Hugging Face has it cannot be made of it yet; export the adapter (--format peft)`,
      { field: 'format' },
    );
  }
  const files: Record<string, string> = {};
  for (const name of ['config.json', ...COPIED]) {
    const text = await readFile(join(from, name), 'utf8').catch(ignoreMissing);
    if (text !== undefined) files[name] = text;
  }
  return files;
}

/** Numbers of a model's tensors with what was trained in them. */
function mergedTensors(
  model: Pick<BaseModel, 'config' | 'readTensor'>,
  { train, values }: TrainedNumbers,
): (name: string) => Promise<Float32Array> {
  const places = placesOf(model.config, train);
  const own = (name: string): Float32Array => values.subarray(...places.get(name)!);
  if (train === 'all') return (name) => Promise.resolve(own(name));
  const changes = changesOf(model.config, train);
  return async (name) => {
    const weights = await model.readTensor(name);
    const change = changes.get(name);
    return change === undefined ? weights : added(weights, own(change.a), own(change.b), train);
  };
}

function placesOf(config: ModelConfig, train: Training): Map<string, [start: number, end: number]> {
  let offset = 0;
  return new Map(
    trainedTensors(config, train).map(({ name, shape }) => {
      const start = offset;
      return [name, [start, (offset += sizeOf(shape))]];
    }),
  );
}

/** The adapter's two matrices of each product that it changes, by the name of its weights. */
function changesOf({ layers }: ModelConfig, { targets }: AdapterShape): Map<string, { a: string; b: string }> {
  const changed = PROJECTIONS.filter((projection) => targets.includes(projection));
  return new Map(
    Array.from({ length: layers }, (_, layer) =>
      changed.map((projection): [string, { a: string; b: string }] => [
        layerTensor(layer, `${moduleName(projection)}.weight`),
        adapterNames(layer, projection),
      ]),
    ).flat(),
  );
}

/** W + (alpha / rank) BA, row by row; A is [rank, in], B [out, rank]. */
function added(weights: Float32Array, a: Float32Array, b: Float32Array, { rank, alpha }: AdapterShape): Float32Array {
  const [input, output] = [a.length / rank, b.length / rank];
  const merged = Float32Array.from(weights);
  const row = new Float64Array(input);
  for (let o = 0; o < output; o++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = (alpha / rank) * b[o * rank + r]!;
      for (let i = 0; i < input; i++) row[i]! += factor * a[r * input + i]!;
    }
    for (let i = 0; i < input; i++) merged[o * input + i]! += row[i]!;
  }
  return merged;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
