/**
 * The safetensors file format, float32 only: 8 bytes little-endian header length, a JSON header that names each tensor's
 * type, shape and place, then the data. Any tool that reads safetensors reads these files.
 * Source: the format's description in the huggingface/safetensors repository.
 */
import { MillraceError } from '../errors.ts';

/** A tensor in a file. */
export interface StoredTensor {
  name: string;
  shape: readonly number[];
  values: Float32Array;
}

/** What a file holds. */
export interface SafetensorsFile {
  tensors: StoredTensor[];
  metadata: Record<string, string>;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const METADATA = '__metadata__';
/** The reference implementation refuses larger headers. */
const LARGEST_HEADER = 100_000_000;
const ALIGNMENT = 8;

/** Bytes of a file with these tensors, in this order. */
export function encodeSafetensors(tensors: readonly StoredTensor[], metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { [METADATA]: metadata } : {};
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    const expected = shape.reduce((product, dimension) => product * dimension, 1);
    if (name === METADATA || name in header || values.length !== expected) {
      throw new MillraceError(
        'internal',
        `tensor ${name} of shape [${shape.join(', ')}] with ${values.length} values cannot be stored`,
      );
    }
    header[name] = { dtype: 'F32', shape: [...shape], data_offsets: [offset, offset + 4 * values.length] };
    offset += 4 * values.length;
  }
  let text = Buffer.from(JSON.stringify(header), 'utf8');
  // The format allows trailing spaces, so that the data starts aligned.
  const padding = (ALIGNMENT - (text.length % ALIGNMENT)) % ALIGNMENT;
  text = Buffer.concat([text, Buffer.alloc(padding, ' ')]);
  const file = new Uint8Array(8 + text.length + offset);
  const view = new DataView(file.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  let position = 8 + text.length;
  for (const { values } of tensors) {
    for (const value of values) {
      view.setFloat32(position, value, true);
      position += 4;
    }
  }
  return file;
}

/** Reads a file; `data_loss`, naming `path`, when it is not a complete safetensors file of float32 tensors. */
export function decodeSafetensors(file: Uint8Array, path: string): SafetensorsFile {
  const damaged = (message: string) => new MillraceError('data_loss', `${path} is not a usable safetensors file: ${message}`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 8) throw damaged(`it has only ${file.length} bytes`);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > LARGEST_HEADER || 8 + headerLength > file.length)
    throw damaged(`its header of ${headerLength} bytes is cut off`);
  const header = parseHeader(file.subarray(8, 8 + headerLength), damaged);
  const start = 8 + headerLength;
  const metadata = (header[METADATA] ?? {}) as Record<string, string>;
  let end = 0;
  const tensors = Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, entry]): StoredTensor => {
      const { dtype, shape, data_offsets: offsets } = checkEntry(name, entry, damaged);
      if (dtype !== 'F32') throw damaged(`tensor ${name} is of type ${dtype}; only F32 is supported`);
      const [from, to] = offsets;
      const size = shape.reduce((product, dimension) => product * dimension, 1);
      if (to - from !== 4 * size || start + to > file.length) throw damaged(`the data of tensor ${name} is cut off`);
      end = Math.max(end, to);
      const values = new Float32Array(size);
      for (let i = 0; i < size; i++) values[i] = view.getFloat32(start + from + 4 * i, true);
      return { name, shape, values };
    });
  if (start + end !== file.length) throw damaged(`${file.length - start - end} bytes are left over`);
  return { tensors, metadata };
}

function parseHeader(bytes: Uint8Array, damaged: (message: string) => MillraceError): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof header === 'object' && header !== null && !Array.isArray(header)) return header as Record<string, unknown>;
  } catch {
    // Told below, in the words of this file.
  }
  throw damaged('its header is not JSON');
}

function checkEntry(name: string, entry: unknown, damaged: (message: string) => MillraceError): Entry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Partial<Entry>;
  const naturals = (values: unknown): boolean =>
    Array.isArray(values) && values.every((value) => Number.isSafeInteger(value) && (value as number) >= 0);
  if (typeof dtype !== 'string' || !naturals(shape) || !naturals(offsets) || offsets!.length !== 2) {
    throw damaged(`the header entry of tensor ${name} makes no sense`);
  }
  return { dtype, shape: shape!, data_offsets: offsets! };
}
