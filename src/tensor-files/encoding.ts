/**
 * How files store the numbers of a tensor. Blocks of 32 share a scale: Q8_0 is scale · integer, Q4_0 is scale · (nibble - 8), Q4_1 is
 * scale · nibble + minimum, with scale and minimum as float16; the low nibbles of a block's 16 bytes come first.
 * Source: `block_q8_0`, `block_q4_0`, `block_q4_1` and `dequantize_row_*` of ggml (ggml-common.h, ggml-quants.c).
 */
import { endianness } from 'node:os';

/** Encodings that can be read. */
export type Encoding = 'F32' | 'F16' | 'BF16' | 'Q8_0' | 'Q4_0' | 'Q4_1';

/** Numbers in a block, and bytes that a block takes. */
export const BLOCKS: Readonly<Record<Encoding, { numbers: number; bytes: number }>> = {
  F32: { numbers: 1, bytes: 4 },
  F16: { numbers: 1, bytes: 2 },
  BF16: { numbers: 1, bytes: 2 },
  Q8_0: { numbers: 32, bytes: 34 },
  Q4_0: { numbers: 32, bytes: 18 },
  Q4_1: { numbers: 32, bytes: 20 },
};

/** A tensor of a file, without its numbers. */
export interface TensorEntry {
  name: string;
  /** Outermost dimension first, as in NumPy. */
  shape: readonly number[];
  encoding: Encoding;
  /** Where its bytes begin in the file. */
  offset: number;
  bytes: number;
}

/** Numbers in a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Numbers of a tensor as float32. `bytes` must be whole blocks; its memory may be returned. */
export function decodeNumbers(encoding: Encoding, bytes: Uint8Array): Float32Array {
  return DECODERS[encoding](bytes);
}

const DECODERS: Record<Encoding, (bytes: Uint8Array) => Float32Array> = {
  F32: float32,
  F16(bytes) {
    const table = float16Table();
    const values = new Float32Array(bytes.length / 2);
    for (let i = 0, at = 0; i < values.length; i++, at += 2) values[i] = table[bytes[at]! | (bytes[at + 1]! << 8)]!;
    return values;
  },
  BF16(bytes) {
    const bits = new Uint32Array(bytes.length / 2);
    for (let i = 0, at = 0; i < bits.length; i++, at += 2) bits[i] = (bytes[at]! << 16) | (bytes[at + 1]! << 24);
    return new Float32Array(bits.buffer);
  },
  Q8_0(bytes) {
    const table = float16Table();
    const values = new Float32Array((bytes.length / 34) * 32);
    for (let to = 0, at = 0; at < bytes.length; at += 34) {
      const scale = table[bytes[at]! | (bytes[at + 1]! << 8)]!;
      for (let i = 2; i < 34; i++) values[to++] = scale * ((bytes[at + i]! << 24) >> 24);
    }
    return values;
  },
  Q4_0(bytes) {
    const table = float16Table();
    const values = new Float32Array((bytes.length / 18) * 32);
    for (let to = 0, at = 0; at < bytes.length; at += 18, to += 32) {
      const scale = table[bytes[at]! | (bytes[at + 1]! << 8)]!;
      for (let i = 0; i < 16; i++) {
        const byte = bytes[at + 2 + i]!;
        values[to + i] = scale * ((byte & 15) - 8);
        values[to + 16 + i] = scale * ((byte >> 4) - 8);
      }
    }
    return values;
  },
  Q4_1(bytes) {
    const table = float16Table();
    const values = new Float32Array((bytes.length / 20) * 32);
    for (let to = 0, at = 0; at < bytes.length; at += 20, to += 32) {
      const scale = table[bytes[at]! | (bytes[at + 1]! << 8)]!;
      const minimum = table[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
      for (let i = 0; i < 16; i++) {
        const byte = bytes[at + 4 + i]!;
        // The product is exact in float32, so that it does not matter that it is not rounded here.
        values[to + i] = scale * (byte & 15) + minimum;
        values[to + 16 + i] = scale * (byte >> 4) + minimum;
      }
    }
    return values;
  },
};

function float32(bytes: Uint8Array): Float32Array {
  if (endianness() === 'LE') {
    // Not `slice`, which of a Buffer is the same memory.
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

let table: Float32Array | undefined;

/** Every float16 as float32, by its bits: a table is several times as fast as taking bits apart. */
function float16Table(): Float32Array {
  table ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  });
  return table;
}
