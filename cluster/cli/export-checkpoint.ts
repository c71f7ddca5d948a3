import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { MillraceError } from '../../src/errors.ts';
import { builtInKinds } from '../../src/policy/registry.ts';
import type { WrittenType } from '../../src/tensor-files/write-safetensors.ts';
import type { CliContext } from './context.ts';

/** Options of `millrace checkpoint export`. */
export interface ExportFlags {
  format: string;
  out: string;
  base?: string;
  numbers: WrittenType;
}

/** Writes the weights of a checkpoint into a new folder, which is there complete or not at all. */
export async function exportCheckpoint(
  checkpoint: string,
  { format, out, base, numbers }: ExportFlags,
  context: Pick<CliContext, 'cwd' | 'print'>,
): Promise<void> {
  const { cwd } = context;
  const { spec, parameters } = await loadCheckpoint(resolve(cwd, checkpoint));
  const kind = builtInKinds.of(spec);
  const { exports: formats = [] } = kind;
  if (kind.export === undefined || !formats.includes(format)) {
    const known = formats.length === 0 ? 'it has none' : `expected one of ${formats.join(', ')}`;
    throw new MillraceError('invalid_argument', `got ${JSON.stringify(format)}; policy kind "${kind.name}": ${known}`, {
      field: '--format',
    });
  }
  const path = resolve(cwd, out);
  await checkEmpty(path);
  const draft = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  await mkdir(draft, { recursive: true });
  try {
    const at = base === undefined ? {} : { base: base.startsWith('~/') ? base : resolve(cwd, base) };
    await kind.export(spec, parameters.values, { format, folder: draft, numbers, ...at });
    await rmdir(path).catch(ignoreMissing);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  context.print({ format, out: path, files: (await readdir(path)).sort() }, () => `${path}: ${format}`);
}

/** Nothing that is there is replaced. */
async function checkEmpty(path: string): Promise<void> {
  const found = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new MillraceError('invalid_argument', `${path} is no folder (${error.code})`, { field: '--out', cause: error });
  });
  if (found.length === 0) return;
  throw new MillraceError('failed_precondition', `${path} is not empty: nothing that is there is replaced`, { field: '--out' });
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
