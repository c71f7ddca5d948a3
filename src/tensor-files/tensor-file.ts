import { MillraceError } from '../errors.ts';
import { memorySource, openFile, type ByteSource } from './byte-source.ts';
import { decodeNumbers, type TensorEntry } from './encoding.ts';
import { headerLength, parseHeader } from './safetensors-header.ts';

/** Named tensors in a file of any format; only their places are in memory. */
export interface TensorFile {
  /** What errors call it. */
  readonly name: string;
  /** By name, in the order of the file. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** Numbers of a tensor as float32, row by row. `data_loss` when the file has become shorter. */
  read(entry: TensorEntry): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens a safetensors file of F32, F16 and BF16 tensors. `not_found` when there is none; `data_loss` when it is damaged or holds another
 * type. Nothing is allocated but the header.
 */
export async function openSafetensors(file: string | Uint8Array): Promise<TensorFile> {
  return withSource(file, async (source) => {
    const length = headerLength(await source.read(0, Math.min(8, source.size)), source.size, source.name);
    return tensorFile(source, parseHeader(await source.read(8, length), source.size, source.name).entries);
  });
}

/** Opens a path, or bytes in memory, and closes it again when `use` throws. */
export async function withSource<T>(file: string | Uint8Array, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const source = typeof file === 'string' ? await openFile(file) : memorySource(file, 'the file');
  try {
    return await use(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Tensors at these places of a source. `data_loss` when two have one name. */
export function tensorFile(source: ByteSource, list: readonly TensorEntry[]): TensorFile {
  const entries = new Map(list.map((entry) => [entry.name, entry]));
  if (entries.size !== list.length) throw new MillraceError('data_loss', `${source.name} names a tensor twice`);
  return {
    name: source.name,
    entries,
    read: async ({ offset, bytes, encoding }) => decodeNumbers(encoding, await source.read(offset, bytes)),
    close: () => source.close(),
  };
}
