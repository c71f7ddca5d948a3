import { MillraceError } from '../errors.ts';
import type { ModelTensor } from './config.ts';

/**
 * Compares what a model needs with what its files have. `data_loss` when a tensor is missing or of another shape; `invalid_argument` when there are
 * tensors that the architecture does not have, for they would change what the model says.
 *
 * @param where - `ignored`: names that may be there without being used; `field`: what gave the files, by default `base`
 */
export function checkTensors(
  layout: readonly ModelTensor[],
  stored: ReadonlyMap<string, { shape: readonly number[] }>,
  where: { path: string; ignored: (name: string) => boolean; field?: string },
): void {
  const { path, ignored, field = 'base' } = where;
  for (const { name, shape } of layout) {
    const found = stored.get(name);
    if (found?.shape.join() === shape.join()) continue;
    const state = found ? `has shape [${found.shape.join(', ')}]` : 'is missing';
    throw new MillraceError('data_loss', `${path}: tensor ${name} ${state}; the configuration needs [${shape.join(', ')}]`);
  }
  const known = new Set(layout.map(({ name }) => name));
  const unknown = [...stored.keys()].find((name) => !known.has(name) && !ignored(name));
  if (unknown === undefined) return;
  throw new MillraceError(
    'invalid_argument',
    `${path}: not supported: tensor ${unknown}, which this architecture does not have`,
    { field },
  );
}
