/**
 * The header of a safetensors file: 8 bytes with its length, little-endian, then JSON that names each tensor's type, shape and place in
 * the data behind it. Source: the format's description in the huggingface/safetensors repository.
 */
import { MillraceError } from '../errors.ts';
import { BLOCKS, sizeOf, type Encoding, type TensorEntry } from './encoding.ts';

/** Key of the header that is no tensor. */
export const METADATA = '__metadata__';
/** The reference implementation refuses larger headers. */
const LARGEST_HEADER = 100_000_000;
/** Types of safetensors that can be read. */
const READABLE: readonly string[] = ['F32', 'F16', 'BF16'] satisfies Encoding[];

/** Bytes of the header, from the first 8 of the file. `data_loss` when the file cannot have such a header. */
export function headerLength(start: Uint8Array, fileSize: number, path: string): number {
  if (start.length < 8) throw damaged(path, `it has only ${fileSize} bytes`);
  const length = Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true));
  if (length > LARGEST_HEADER || 8 + length > fileSize) throw damaged(path, `its header of ${length} bytes is cut off`);
  return length;
}

/**
 * Tensors of a file, in the order of the header. `data_loss`, naming `path`, when the header is damaged or does not fit the size of the file,
 * or a tensor is of a type that cannot be read.
 */
export function parseHeader(
  bytes: Uint8Array,
  fileSize: number,
  path: string,
): { entries: TensorEntry[]; metadata: Record<string, string> } {
  const header = jsonObject(bytes, path);
  const start = 8 + bytes.length;
  let end = start;
  const entries = Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, value]) => {
      const entry = entryOf(name, value, { start, fileSize, path });
      end = Math.max(end, entry.offset + entry.bytes);
      return entry;
    });
  if (end !== fileSize) throw damaged(path, `${fileSize - end} bytes are left over`);
  return { entries, metadata: (header[METADATA] ?? {}) as Record<string, string> };
}

function jsonObject(bytes: Uint8Array, path: string): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
    if (typeof header === 'object' && header !== null && !Array.isArray(header)) return header as Record<string, unknown>;
  } catch {
    // Told below, in the words of this file.
  }
  throw damaged(path, 'its header is not JSON');
}

function entryOf(name: string, entry: unknown, file: { start: number; fileSize: number; path: string }): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (typeof dtype !== 'string' || !areNaturals(shape) || !areNaturals(offsets) || offsets.length !== 2) {
    throw damaged(file.path, `the header entry of tensor ${name} makes no sense`);
  }
  if (!READABLE.includes(dtype)) {
    throw damaged(file.path, `tensor ${name} is of type ${dtype}; supported are ${READABLE.join(', ')}`);
  }
  const encoding = dtype as Encoding;
  const [from, to] = offsets as [number, number];
  const bytes = BLOCKS[encoding].bytes * sizeOf(shape);
  if (to - from !== bytes || file.start + to > file.fileSize) throw damaged(file.path, `the data of tensor ${name} is cut off`);
  return { name, shape, encoding, offset: file.start + from, bytes };
}

function areNaturals(values: unknown): values is number[] {
  return Array.isArray(values) && values.every((value) => Number.isSafeInteger(value) && (value as number) >= 0);
}

function damaged(path: string, message: string): MillraceError {
  return new MillraceError('data_loss', `${path} is not a usable safetensors file: ${message}`);
}
