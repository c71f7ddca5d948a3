import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfFloats, floatsFromBytes } from './float-bytes.ts';

describe('float bytes', () => {
  it('come back the same from any place in a pooled buffer', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true }), fc.nat(7), (values, offset) => {
        const pool = Buffer.alloc(offset + values.byteLength + 3);
        pool.set(bytesOfFloats(values), offset);
        const received = pool.subarray(offset, offset + values.byteLength);
        expect(floatsFromBytes(received)).toEqual(values);
      }),
    );
  });

  it('copies: the message may be reused', () => {
    const bytes = Buffer.from(bytesOfFloats(Float32Array.of(1, 2)));
    const values = floatsFromBytes(bytes);
    bytes.fill(0);
    expect([...values]).toEqual([1, 2]);
  });
});
