import { stat } from 'node:fs/promises';
import { MillraceError } from '../errors.ts';
import { withHome } from '../files/home.ts';
import type { BaseModel } from './base-model.ts';
import { openGgufModel } from './gguf/open.ts';
import { openFolder } from './hugging-face/open.ts';

/**
 * Opens a language model: a folder in the layout of Hugging Face, or a GGUF file. Only descriptions are read; weights are read when they are
 * asked for. Close it after use.
 *
 * @param path - `~/` is the home folder of this account
 *
 * `not_found` when there is nothing; `invalid_argument` when the model is of a kind that is not supported: the message names what is;
 * `data_loss` when a file is damaged.
 */
export async function openBaseModel(path: string): Promise<BaseModel> {
  const at = withHome(path);
  const found = await stat(at).catch((error: unknown) => {
    throw new MillraceError('not_found', `there is no model at ${at}`, { field: 'base', cause: error });
  });
  return found.isDirectory() ? openFolder(at) : openGgufModel(at);
}
