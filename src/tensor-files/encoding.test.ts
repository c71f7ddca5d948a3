import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSafetensors } from './tensor-file.ts';
import { decodeNumbers } from './encoding.ts';
import { encodeSafetensors } from './safetensors.ts';

const bytes = (...list: number[]): Uint8Array => Uint8Array.from(list);

describe('encodings of numbers', () => {
  it('float16 has zeros, subnormal numbers, infinities and NaN', () => {
    const halves = [0x3c00, 0xc000, 0x0001, 0x83ff, 0x7bff, 0x7c00, 0xfc00, 0x8000, 0x7e00];
    const values = decodeNumbers('F16', new Uint8Array(Uint16Array.from(halves).buffer));
    expect([...values]).toEqual([1, -2, 2 ** -24, -1023 * 2 ** -24, 65504, Infinity, -Infinity, -0, NaN]);
  });

  it('bfloat16 is the upper half of a float32', () => {
    fc.assert(
      fc.property(fc.float(), (value) => {
        const word = new Uint32Array(Float32Array.of(value).buffer)[0]! & 0xffff0000;
        const [decoded] = decodeNumbers('BF16', bytes((word >>> 16) & 255, word >>> 24));
        expect(new Uint32Array(Float32Array.of(decoded!).buffer)[0]! >>> 0).toBe(word >>> 0);
      }),
    );
  });

  it('Q8_0 is a scale times signed bytes, Q4_1 a scale times nibbles and a minimum', () => {
    const eights = decodeNumbers('Q8_0', bytes(0, 0x38, ...Array.from({ length: 32 }, (_, i) => (i - 16) & 255)));
    expect([...eights]).toEqual(Array.from({ length: 32 }, (_, i) => (i - 16) / 2));
    const fours = decodeNumbers('Q4_1', bytes(0, 0x40, 0, 0xbc, ...Array.from({ length: 16 }, (_, i) => i | (3 << 4))));
    expect([...fours]).toEqual([...Array.from({ length: 16 }, (_, i) => 2 * i - 1), ...Array.from({ length: 16 }, () => 5)]);
  });

  it('float32 may lie anywhere in memory', () => {
    const shifted = new Uint8Array([9, ...new Uint8Array(Float32Array.of(1.5, -2).buffer)]).subarray(1);
    expect([...decodeNumbers('F32', shifted)]).toEqual([1.5, -2]);
    expect([...decodeNumbers('F32', Buffer.from(shifted.buffer, 1))]).toEqual([1.5, -2]);
  });

  it('safetensors files are read tensor by tensor', async () => {
    const file = await openSafetensors(encodeSafetensors([{ name: 'a', shape: [1, 2], values: Float32Array.of(1, 2) }]));
    expect([...(await file.read(file.entries.get('a')!))]).toEqual([1, 2]);
  });
});
