import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenize, tokenizeWithPositions } from './tokenizer.ts';

const OPTIONS = { buckets: 100_000, maxLength: 64 };
const ids = (text: string): number[] => [...tokenize(text, OPTIONS)];

describe('tokenize', () => {
  it('splits punctuation off, ignores case and keeps apostrophes within words', () => {
    expect(ids('Please, return it!')).toEqual(ids('please , RETURN it !'));
    expect(ids("don't")).toHaveLength(1);
    expect(ids('#W2378156')).toHaveLength(3);
  });

  it('maps numbers of one shape to one token', () => {
    expect(ids('1,250.5')).toEqual(ids('3,417.9'));
    expect(ids('250')).not.toEqual(ids('2500'));
    expect(ids('2.5')).not.toEqual(ids('25'));
    expect(ids('12345678901234567890')).toEqual(ids('9'.repeat(40)));
  });

  it('keeps at most maxLength tokens, each within [1, buckets)', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.integer({ min: 2, max: 50 }),
        fc.integer({ min: 1, max: 9 }),
        (text, buckets, maxLength) => {
          const { tokens, positions } = tokenizeWithPositions(text, { buckets, maxLength });
          expect(tokens.length).toBeLessThanOrEqual(maxLength);
          tokens.forEach((token) => expect(token >= 1 && token < buckets).toBe(true));
          positions.forEach((position) => expect(position >= -1 && position < Math.max(1, tokens.length)).toBe(true));
        },
      ),
    );
  });

  it('says which token each whitespace-separated word starts at', () => {
    const { tokens, positions } = tokenizeWithPositions('  Tom, who has 3 apples', { ...OPTIONS, maxLength: 5 });
    expect(tokens).toHaveLength(5);
    expect([...positions]).toEqual([0, 2, 3, 4, -1]);
  });

  it('refuses a table too small to hash into', () => {
    expect(() => tokenize('a', { buckets: 1, maxLength: 4 })).toThrow(/buckets/);
  });

  it('has not changed: trained weights depend on it', () => {
    expect([...tokenize('Cancel order #W12, please', { buckets: 1024, maxLength: 64 })]).toMatchInlineSnapshot(`
      [
        42,
        720,
        664,
        363,
        281,
        898,
        933,
      ]
    `);
  });
});
