import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodePeft } from '../../base-model/adapter/peft.ts';
import { writeMerged } from '../../base-model/export/merged.ts';
import { newModelFiles } from '../../base-model/new-model/new-model.ts';
import { trainedSize } from '../../base-model/training/trained.ts';
import { MillraceError } from '../../errors.ts';
import type { ExportOptions } from '../kind.ts';
import { openBase } from './read.ts';
import type { LlamaSpec } from './spec.ts';

/** Writes trained weights into an empty folder: an adapter as PEFT has it, or the whole model with what was trained in it. */
export async function exportLlama(
  { base, train }: LlamaSpec,
  weights: Float32Array,
  { format, folder, base: moved = base.path, numbers = 'F32' }: ExportOptions,
): Promise<void> {
  // Without a head for values, which is no part of the model.
  const values = weights.subarray(0, trainedSize(base.config, train));
  if (format === 'peft') {
    if (train === 'all') {
      throw new MillraceError(
        'failed_precondition',
        'all weights of this policy were trained, so there is no adapter: export it with --format safetensors',
        { field: 'format' },
      );
    }
    const files = encodePeft(base.config, { shape: train, values }, moved);
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
    return;
  }
  const model = await openBase({ ...base, path: moved });
  try {
    const digest = await model.digest();
    if (digest !== base.digest) {
      throw new MillraceError(
        'failed_precondition',
        `${moved} holds the model ${digest.slice(0, 12)}…, and the policy is of the model ${base.digest.slice(0, 12)}…: name the right one with --base`,
        { field: 'base' },
      );
    }
    const files = base.made === undefined ? undefined : newModelFiles(base.made);
    await writeMerged(model, { train, values }, folder, { type: numbers, ...(files && { files }) });
  } finally {
    await model.close();
  }
}
