/** Reads the files that settings name. */
import { sha256 } from '../../artifacts/digest.ts';
import { readPeft } from '../../base-model/adapter/peft.ts';
import type { BaseModel } from '../../base-model/base-model.ts';
import { layoutOf } from '../../base-model/config.ts';
import { openNewModel } from '../../base-model/new-model/new-model.ts';
import { openBaseModel } from '../../base-model/open.ts';
import { MillraceError } from '../../errors.ts';
import { hasStart, keepStart } from './files.ts';
import { baseSource, type BaseSource, type LlamaSettings, type ReadFiles } from './settings.ts';

/** Digest and shape of the base model, and the numbers that training starts from, which are kept. Throws as `openBaseModel` and `readPeft` do. */
export async function readFiles(settings: LlamaSettings): Promise<ReadFiles> {
  const { train, adapter } = settings;
  const source = baseSource(settings);
  if (train === 'all' && adapter.start !== undefined) {
    throw new MillraceError('invalid_argument', 'policy.adapter.start: with `train: all` there is no adapter; leave it out', {
      field: 'policy.adapter.start',
    });
  }
  const model = await openBase(source);
  try {
    const { config } = model;
    const digest = await model.digest();
    if (train === 'all' && !hasStart(digest)) keepStart(digest, await allWeights(model));
    if (adapter.start === undefined) return { digest, config };
    const { shape, values } = await readPeft(adapter.start, config);
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    const start = { shape, digest: sha256(Buffer.concat([Buffer.from(JSON.stringify(shape)), bytes])) };
    keepStart(start.digest, values);
    return { digest, config, start };
  } finally {
    await model.close();
  }
}

/** Opens a base model, or makes a new one. Throws as `openBaseModel` does. */
export async function openBase({ path, made }: BaseSource): Promise<BaseModel> {
  return made === undefined ? openBaseModel(path) : openNewModel(made);
}

/** All numbers of a model, tensor after tensor of `layoutOf`. */
async function allWeights(model: BaseModel): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for (const { name } of layoutOf(model.config)) parts.push(await model.readTensor(name));
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
