import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findGroups, maskGroups, readPairs } from './brackets.ts';

describe('findGroups', () => {
  it('finds the outermost brackets and passes over ones that stay open', () => {
    const text = 'a {b (c)} d (e) f (g';
    expect(findGroups(text).map((group) => group.inner)).toEqual(['b (c)', 'e']);
    expect(maskGroups(text, findGroups(text))).toBe('a {     } d ( ) f (g');
  });

  it('keeps every offset when it masks', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '(', ')', '{', '}', '[', ']', '.') }), (text) => {
        const groups = findGroups(text);
        const masked = maskGroups(text, groups);
        expect(masked).toHaveLength(text.length);
        for (const { start, end, inner } of groups) {
          expect(text.slice(start + 1, end - 1)).toBe(inner);
          expect(masked.slice(start + 1, end - 1).trim()).toBe('');
        }
      }),
    );
  });
});

describe('readPairs', () => {
  const word = fc
    .string({ unit: fc.constantFrom('a', 'b', '1', ' ', '-', '/', '.'), minLength: 1 })
    .map((text) => text.trim() || 'x');

  it('reads what it is given, quoted or not', () => {
    fc.assert(
      fc.property(fc.dictionary(word, word), fc.boolean(), (record, quoted) => {
        const write = (text: string): string => (quoted ? `'${text}'` : text);
        const inner = Object.entries(record).map(([name, value]) => `${write(name)}: ${write(value)}`);
        expect(readPairs(inner.join(', '))).toEqual({ ...record });
      }),
    );
  });

  it('takes quotes of both kinds, and separators inside them', () => {
    expect(readPairs(`'address1': '1, Fern Street', "note": "it's: fine", 'x': ''`)).toEqual({
      address1: '1, Fern Street',
      note: "it's: fine",
      x: '',
    });
    expect(readPairs('size = L, plug: EU')).toEqual({ size: 'L', plug: 'EU' });
  });

  it('is empty for empty brackets and undefined for anything but pairs', () => {
    expect(readPairs(' ')).toEqual({});
    expect(readPairs('same as #W1')).toBeUndefined();
  });
});
