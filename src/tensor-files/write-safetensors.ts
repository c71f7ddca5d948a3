import { open } from 'node:fs/promises';
import { MillraceError } from '../errors.ts';

/** Types that numbers can be written in. */
export const WRITTEN_TYPES = ['F32', 'BF16'] as const;
/** One of {@link WRITTEN_TYPES}. */
export type WrittenType = (typeof WRITTEN_TYPES)[number];

const BYTES: Record<WrittenType, number> = { F32: 4, BF16: 2 };

/** What of a file is known before its numbers. */
export interface SafetensorsPlan {
  tensors: readonly { name: string; shape: readonly number[] }[];
  type: WrittenType;
  metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes a safetensors file tensor by tensor: only one is in memory at a time. The file must not exist yet.
 *
 * @param read - numbers of a tensor, as many as its shape says
 */
export async function writeSafetensors(
  path: string,
  { tensors, type, metadata = {} }: SafetensorsPlan,
  read: (name: string) => Promise<Float32Array>,
): Promise<void> {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const { name, shape } of tensors) {
    const size = shape.reduce((product, length) => product * length, 1) * BYTES[type];
    header[name] = { dtype: type, shape, data_offsets: [offset, (offset += size)] };
  }
  const text = Buffer.from(JSON.stringify(header));
  // The format allows trailing spaces, so that the data starts aligned.
  const padded = Buffer.concat([text, Buffer.alloc(-text.length & 7, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = await open(path, 'wx');
  try {
    await file.writeFile(Buffer.concat([length, padded]));
    for (const { name, shape } of tensors) {
      const values = await read(name);
      const bytes = type === 'F32' ? float32Bytes(values) : bfloat16Bytes(values);
      if (values.length !== shape.reduce((product, size) => product * size, 1))
        throw new MillraceError(
          'internal',
          `tensor ${name} has ${values.length} numbers, not the [${shape.join(', ')}] of its shape`,
        );
      await file.writeFile(bytes);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

function float32Bytes(values: Float32Array): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i]!, true);
  return bytes;
}

/** The upper halves of float32 numbers, rounded to the nearest one, of two as near to the even one. The numbers are finite. */
function bfloat16Bytes(values: Float32Array): Buffer {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bytes = Buffer.alloc(2 * values.length);
  for (let i = 0; i < bits.length; i++) {
    const whole = bits[i]!;
    bytes.writeUInt16LE(((whole + 0x7fff + ((whole >>> 16) & 1)) >>> 16) & 0xffff, 2 * i);
  }
  return bytes;
}
