import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRows } from './encode.ts';
import { stepRow } from '../store/fixtures.ts';
import { isPacked, joinRows, packRows, unpackedSize, unpackRows } from './pack.ts';

describe('packed rows', () => {
  it('come back as they were, whatever they hold', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ result: fc.string({ unit: 'binary' }), step: fc.nat(1000) }), { maxLength: 60 }),
        (rows) => {
          const encoded = encodeRows('steps', rows.map(stepRow));
          expect(Buffer.compare(unpackRows(packRows(encoded)), encoded)).toBe(0);
        },
      ),
    );
  });

  it('are a fraction of the size, the same bytes every time, and small ones are left alone', () => {
    const rows = encodeRows(
      'steps',
      Array.from({ length: 200 }, (_, step) => stepRow({ step })),
    );
    expect(packRows(rows).length).toBeLessThan(rows.length / 8);
    expect(Buffer.compare(packRows(rows), packRows(rows))).toBe(0);
    const small = encodeRows('steps', [stepRow({})]);
    expect(packRows(small)).toBe(small);
    expect(packRows(new Uint8Array())).toHaveLength(0);
  });

  it('are refused when they are damaged or would fill the memory', () => {
    const packed = packRows(
      encodeRows(
        'steps',
        Array.from({ length: 50 }, (_, step) => stepRow({ step })),
      ),
    );
    const refused = expect.objectContaining({ code: 'invalid_argument' }) as Error;
    expect(() => unpackRows(packed.subarray(0, packed.length >> 1))).toThrow(refused);
    const flipped = Uint8Array.from(packed);
    flipped[packed.length >> 1]! ^= 0xff;
    expect(() => unpackRows(flipped)).toThrow(refused);
    expect(() => unpackRows(gzipSync(Buffer.alloc(65 * 1024 * 1024)))).toThrow(refused);
  });

  it('are joined without being unpacked, with rows that are not, and read as all of them in order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(60), fc.boolean()), { maxLength: 8 }), (shapes) => {
        const texts = shapes.map(([count, ended], at) => {
          const text = Array.from({ length: count }, (_, i) => `[${at},${i},"${'x'.repeat(40)}"]`).join('\n');
          return count > 0 && ended ? `${text}\n` : text;
        });
        const blocks = texts.map((text) => packRows(Buffer.from(text)));
        const joined = joinRows(blocks);
        expect(isPacked(joined)).toBe(blocks.some(isPacked));
        const lines = (text: string): string[] => text.split(/\n|(?<=\])(?=\[)/).filter(Boolean);
        expect(lines(Buffer.from(unpackRows(joined)).toString())).toEqual(texts.flatMap(lines));
      }),
    );
  });

  it('tell their size without being unpacked', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        const rows = Buffer.concat([Buffer.from('['), bytes]);
        expect(unpackedSize(packRows(rows))).toBe(rows.length);
      }),
    );
    const refused = expect.objectContaining({ code: 'invalid_argument' }) as Error;
    expect(() => unpackedSize(Buffer.of(0x1f, 0x8b, 8))).toThrow(refused);
    expect(() => unpackedSize(gzipSync(Buffer.alloc(65 * 1024 * 1024)))).toThrow(refused);
  });
});
