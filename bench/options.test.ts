import { describe, expect, it } from 'vitest';
import { integerOf, listOf, oneOf } from './options.ts';

describe('options', () => {
  it('takes lists of known names, all of them by default', () => {
    expect(listOf('--x', undefined, ['a', 'b'])).toEqual(['a', 'b']);
    expect(listOf('--x', 'b, a', ['a', 'b'])).toEqual(['b', 'a']);
    expect(() => listOf('--x', 'a,c', ['a', 'b'])).toThrowError(
      expect.objectContaining({ code: 'invalid_argument', field: '--x', message: '--x: "c" is none of a, b' }),
    );
    expect(oneOf('--x', 'a', ['a', 'b'])).toBe('a');
  });

  it('takes integers from a bound on', () => {
    expect(integerOf('--n', '12', 2)).toBe(12);
    for (const wrong of ['1', '-3', '2.5', '', 'many', '99999999999999999999']) {
      expect(() => integerOf('--n', wrong, 2)).toThrow('--n');
    }
  });
});
