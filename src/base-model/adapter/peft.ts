/** Adapters as PEFT keeps them: a folder with `adapter_config.json` and `adapter_model.safetensors`. */
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';
import { encodeSafetensors } from '../../tensor-files/safetensors.ts';
import { openSafetensors, type TensorFile } from '../../tensor-files/tensor-file.ts';
import type { ModelConfig, ModelTensor } from '../config.ts';
import { Fields } from '../fields.ts';
import { readJson } from '../hugging-face/json-file.ts';
import { checkTensors } from '../tensors.ts';
import { adapterNames, adapterTensors, moduleName, PROJECTIONS, type AdapterShape } from './shape.ts';

/** An adapter outside of any backend. */
export interface StoredAdapter {
  shape: AdapterShape;
  /** Tensor after tensor of `adapterTensors`. */
  values: Float32Array;
}

/** Names of the two files. */
const PEFT_FILES = { config: 'adapter_config.json', weights: 'adapter_model.safetensors' } as const;

const LARGEST_CONFIG = 1 << 20;
const PREFIX = 'base_model.model.';

/**
 * Reads a folder that PEFT wrote for a model of this configuration. Which products it changes is what its tensors say; numbers may be F32, F16 or BF16.
 *
 * `not_found` without the files; `invalid_argument` for kinds of adapters that are not computed here, the message names what; `data_loss` for
 * damaged files, and where the tensors do not fit the model.
 */
export async function readPeft(folder: string, config: ModelConfig): Promise<StoredAdapter> {
  const path = join(folder, PEFT_FILES.config);
  const fields = new Fields(await readJson(path, LARGEST_CONFIG), path, 'adapter');
  checkSupported(fields);
  const [rank, alpha] = [fields.number('r'), fields.number('lora_alpha', 8)];
  if (!(Number.isInteger(rank) && rank >= 1 && rank <= config.width * 64)) throw fields.wrong('r', 'a positive integer');
  if (!(alpha > 0 && Number.isFinite(alpha))) throw fields.wrong('lora_alpha', 'a positive number');
  const file = await openSafetensors(join(folder, PEFT_FILES.weights));
  try {
    const targets = PROJECTIONS.filter((projection) => file.entries.has(PREFIX + adapterNames(0, projection).a));
    const shape: AdapterShape = { rank, alpha, targets };
    const tensors = adapterTensors(config, shape).map((tensor) => ({ ...tensor, name: PREFIX + tensor.name }));
    checkTensors(tensors, file.entries, { path: folder, ignored: () => false, field: 'adapter' });
    if (targets.length === 0) throw new MillraceError('data_loss', `${folder}: there are no tensors of an adapter`);
    return { shape, values: await readAll(file, tensors) };
  } finally {
    await file.close();
  }
}

/** Bytes of the two files that PEFT opens, by name. @param base - where PEFT is told to find the base model: a path, or a name at Hugging Face */
export function encodePeft(
  config: ModelConfig,
  { shape, values }: StoredAdapter,
  base: string,
): Readonly<Record<string, Uint8Array>> {
  let offset = 0;
  const tensors = adapterTensors(config, shape).map(({ name, shape: dimensions }) => {
    const start = offset;
    offset += dimensions.reduce((product, size) => product * size, 1);
    return { name: PREFIX + name, shape: dimensions, values: values.subarray(start, offset) };
  });
  const described = {
    ...{ peft_type: 'LORA', task_type: 'CAUSAL_LM', base_model_name_or_path: base, inference_mode: true },
    ...{ r: shape.rank, lora_alpha: shape.alpha, lora_dropout: 0, bias: 'none', fan_in_fan_out: false },
    target_modules: PROJECTIONS.filter((projection) => shape.targets.includes(projection)).map(
      (projection) => moduleName(projection).split('.')[1]!,
    ),
  };
  return {
    [PEFT_FILES.config]: Buffer.from(`${JSON.stringify(described, undefined, 2)}\n`),
    [PEFT_FILES.weights]: encodeSafetensors(tensors, { format: 'pt' }),
  };
}

/** Refuses everything that makes an adapter more than A and B of one rank: computed without it, the model would say something else. */
function checkSupported(fields: Fields): void {
  fields.supports('peft_type', ['LORA']);
  fields.supports('task_type', ['CAUSAL_LM']);
  fields.supports('bias', ['none']);
  for (const name of ['use_dora', 'use_rslora', 'use_qalora', 'use_bdlora', 'lora_bias', 'fan_in_fan_out'])
    fields.supports(name, [false]);
  for (const name of ['rank_pattern', 'alpha_pattern', 'modules_to_save', 'layer_replication', 'trainable_token_indices']) {
    const value = fields.get(name);
    if (value !== undefined && Object.keys(value as object).length > 0)
      throw fields.unsupported(`${name} ${JSON.stringify(value).slice(0, 80)}`);
  }
  for (const name of [
    'alora_invocation_tokens',
    'arrow_config',
    'kasa_config',
    'velora_config',
    'monteclora_config',
    'target_parameters',
  ]) {
    if (fields.get(name) !== undefined) throw fields.unsupported(name);
  }
}

async function readAll(file: TensorFile, tensors: readonly ModelTensor[]): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for (const { name } of tensors) {
    const values = await file.read(file.entries.get(name)!);
    if (!values.every(Number.isFinite)) {
      throw new MillraceError('data_loss', `${file.name}: tensor ${name} has numbers that are not finite`);
    }
    parts.push(values);
  }
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
