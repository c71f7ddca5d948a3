/**
 * Files of float32 tensors in the safetensors format, whole in memory. Any tool that reads safetensors reads these files.
 * `safetensors-header.ts` describes the format.
 */
import { MillraceError } from '../errors.ts';
import { decodeNumbers } from './encoding.ts';
import { headerLength, METADATA, parseHeader } from './safetensors-header.ts';

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
  const length = headerLength(file.subarray(0, 8), file.length, path);
  const { entries, metadata } = parseHeader(file.subarray(8, 8 + length), file.length, path);
  const tensors = entries.map(({ name, shape, encoding, offset, bytes }): StoredTensor => {
    if (encoding !== 'F32') {
      throw new MillraceError('data_loss', `${path}: tensor ${name} is of type ${encoding}; only F32 is supported here`);
    }
    // A copy of its own: the tensor may outlive the file, and its numbers have to be aligned.
    return { name, shape, values: decodeNumbers(encoding, new Uint8Array(file.subarray(offset, offset + bytes))) };
  });
  return { tensors, metadata };
}
