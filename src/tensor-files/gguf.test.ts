import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MillraceError } from '../errors.ts';
import { openGguf } from './gguf.ts';
import { ggufFile, type GgufHeader, type GgufItem, type GgufTensor } from './testing.ts';

const ITEMS: GgufItem[] = [
  { key: 'general.architecture', type: 8, value: 'llama' },
  { key: 'llama.block_count', type: 4, value: 2 },
  { key: 'epsilon', type: 6, value: 0.5 },
  { key: 'yes', type: 7, value: 1 },
  { key: 'tokens', type: 9, value: [8, ['a', 'b', 'ö']] },
  { key: 'kinds', type: 9, value: [4, [1, 2, 3]] },
];
const numbers = Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
const TENSORS: GgufTensor[] = [
  { name: 'a', shape: [2, 3], type: 0, data: numbers },
  { name: 'b', shape: [1, 32], type: 2, data: Buffer.from([0, 0x3c, ...Array.from({ length: 16 }, (_, i) => i * 17)]) },
];

describe('GGUF files', () => {
  it('are read with their metadata, shapes and numbers', async () => {
    const file = await openGguf(ggufFile(ITEMS, TENSORS));
    expect(Object.fromEntries(file.metadata)).toEqual({
      'general.architecture': 'llama',
      'llama.block_count': 2,
      epsilon: 0.5,
      yes: true,
      tokens: ['a', 'b', 'ö'],
      kinds: [1, 2, 3],
    });
    const a = file.entries.get('a')!;
    expect(a.shape).toEqual([2, 3]);
    expect([...(await file.read(a))]).toEqual([1, 2, 3, 4, 5, 6]);
    // Scale 1; low nibbles first, then high ones.
    const nibbles = Array.from({ length: 16 }, (_, i) => i - 8);
    expect([...(await file.read(file.entries.get('b')!))]).toEqual([...nibbles, ...nibbles]);
  });

  const withItem = (item: GgufItem): Uint8Array => ggufFile([...ITEMS, item], TENSORS);
  const withTensor = (change: Partial<GgufTensor>): Uint8Array => ggufFile(ITEMS, [{ ...TENSORS[0]!, ...change }]);
  const withHeader = (header: GgufHeader): Uint8Array => ggufFile(ITEMS, TENSORS, header);
  const whole = ggufFile(ITEMS, TENSORS);
  const HUGE = 2 ** 52;
  it.each([
    ['an empty file', new Uint8Array(0), 'data_loss', /cut off/],
    ['another format', Buffer.from('PK\u0003\u0004 and more than that'), 'data_loss', /does not begin with GGUF/],
    ['an old version', withHeader({ version: 1 }), 'invalid_argument', /version 1; supported are 2 and 3/],
    ['big-endian numbers', withHeader({ version: 3 << 24 }), 'invalid_argument', /big-endian/],
    ['more tensors than the file has place for', withHeader({ tensorCount: HUGE }), 'data_loss', /too short for \d+ tensors/],
    ['more items than the file has place for', withHeader({ itemCount: HUGE }), 'data_loss', /too short for \d+ metadata/],
    ['one item more than there are', withHeader({ itemCount: ITEMS.length + 1 }), 'data_loss', /not a usable GGUF file/],
    ['dimensions whose product is no number', withTensor({ shape: [HUGE, HUGE] }), 'data_loss', /tensor a is cut off/],
    ['five dimensions', withTensor({ shape: [1, 1, 1, 1, 6] }), 'data_loss', /5 dimensions/],
    ['data beyond the end', withTensor({ offset: 64 }), 'data_loss', /tensor a is cut off/],
    ['rows that are no whole blocks', withTensor({ type: 8 }), 'data_loss', /whole blocks of Q8_0/],
    ['an encoding that is not supported', withTensor({ type: 12 }), 'invalid_argument', /type Q4_K; supported are F32, F16, /],
    ['an unknown encoding', withTensor({ type: 99 }), 'invalid_argument', /type number 99/],
    ['an unknown type of metadata', withItem({ key: 'x', type: 9, value: [77, []] }), 'data_loss', /x is of unknown type 77/],
    ['a senseless alignment', withItem({ key: 'general.alignment', type: 4, value: 0 }), 'data_loss', /general.alignment/],
    ['two tensors of one name', ggufFile(ITEMS, [TENSORS[0]!, TENSORS[0]!]), 'data_loss', /names a tensor twice/],
    ['a file without its end', whole.subarray(0, whole.length - 40), 'data_loss', /cut off/],
  ])('refuse %s', async (_what, bytes, code, message) => {
    const error: unknown = await openGguf(bytes).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(MillraceError);
    expect((error as MillraceError).code).toBe(code);
    expect((error as MillraceError).message).toMatch(message);
  });

  it('fail with an error of ours when any byte is another, or are read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, change, cut) => {
        const damaged = cut ? whole.slice(0, at) : whole.map((byte, index) => (index === at ? byte ^ change : byte));
        try {
          const file = await openGguf(damaged);
          for (const entry of file.entries.values()) await file.read(entry);
        } catch (error) {
          if (!(error instanceof MillraceError)) throw error;
          expect(['data_loss', 'invalid_argument']).toContain(error.code);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('of one that is not there are not found', async () => {
    await expect(openGguf('/nonexistent/model.gguf')).rejects.toMatchObject({ code: 'not_found' });
    await expect(openGguf('/')).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
