import { describe, expect, it } from 'vitest';
import { weightsFrom } from '../cli/weights-from.ts';
import { weightSource } from './weight-source.ts';

describe('weightSource', () => {
  it('reads jobs, their versions and absolute paths', () => {
    expect(weightSource('')).toBeUndefined();
    expect(weightSource('retail-1')).toEqual({ job: 'retail-1', version: undefined });
    expect(weightSource('retail-1@40')).toEqual({ job: 'retail-1', version: 40 });
    expect(weightSource('/a/checkpoints/retail-1/v000040')).toEqual({ checkpoint: '/a/checkpoints/retail-1/v000040' });
  });

  it.each(['./v000040', '../x', 'checkpoints/a', 'A', 'a@', 'a@-1', 'a@1.5', 'a@1e3', 'a b', '/a\0b', `${'x'.repeat(41)}`])(
    'refuses %j',
    (from) => {
      expect(() => weightSource(from)).toThrow(expect.objectContaining({ code: 'invalid_argument', field: 'from' }));
    },
  );

  it('is given absolute paths by the command line', () => {
    const given = [undefined, 'retail-1', 'retail-1@3', './v1', 'a/v1', '/a/v1', '.'].map((from) => weightsFrom(from, '/work'));
    expect(given).toEqual(['', 'retail-1', 'retail-1@3', '/work/v1', '/work/a/v1', '/a/v1', '/work']);
  });
});
