import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineOf } from './locate.ts';

const MARK = 'here it is';

/** Every path into a JSON value. */
function paths(value: unknown): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [[]];
  const children = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [[], ...children.flatMap(([key, child]) => paths(child).map((rest) => [key, ...rest]))];
}

function marked(value: unknown, path: readonly (string | number)[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return MARK;
  if (Array.isArray(value)) return value.map((child: unknown, i) => (i === key ? marked(child, rest) : child));
  return Object.fromEntries(Object.entries(value as object).map(([k, child]) => [k, k === key ? marked(child, rest) : child]));
}

describe('lineOf', () => {
  it('finds the line of any value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(), fc.constantFrom(0, 1, 2), (value, choice, indent) => {
        const all = paths(value);
        const path = all[choice % all.length]!;
        const text = JSON.stringify(marked(value, path), null, indent);
        const expected = text.split('\n').findIndex((line) => line.includes(JSON.stringify(MARK))) + 1;
        expect(lineOf(text, path)).toBe(expected);
      }),
    );
  });

  it('falls back to what encloses a value that is missing', () => {
    const text = '{\n "a": {\n  "b": [1,\n2]\n }\n}';
    expect(lineOf(text, ['a', 'c'])).toBe(2);
    expect(lineOf(text, ['a', 'b', 1])).toBe(4);
    expect(lineOf(text, ['a', 'b', 5])).toBe(3);
    expect(lineOf(text, ['z'])).toBe(1);
  });
});
