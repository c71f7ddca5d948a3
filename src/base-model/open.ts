import { stat } from 'node:fs/promises';
import { MillraceError } from '../errors.ts';
import type { BaseModel } from './base-model.ts';
import { openGgufModel } from './gguf/open.ts';
import { openFolder } from './hugging-face/open.ts';

/**
 * Opens a language model: a folder in the layout of Hugging Face, or a GGUF file. Only descriptions are read; weights are read when they are
 * asked for. Close it after use.
 *
 * `not_found` when there is nothing; `invalid_argument` when the model is of a kind that is not supported: the message names what is;
 * `data_loss` when a file is damaged.
 */
export async function openBaseModel(path: string): Promise<BaseModel> {
  const found = await stat(path).catch((error: unknown) => {
    throw new MillraceError('not_found', `there is no model at ${path}`, { field: 'base', cause: error });
  });
  return found.isDirectory() ? openFolder(path) : openGgufModel(path);
}
