import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomConformance } from './conformance.ts';
import { seededRandom, seedFrom, systemRandom } from './seeded.ts';

randomConformance('seededRandom(7)', () => seededRandom(7), true);
randomConformance("seededRandom('text')", () => seededRandom('text'), true);
randomConformance('systemRandom()', systemRandom, false);

describe('seeds', () => {
  it('keeps its stream from release to release', () => {
    const random = seededRandom(1);
    expect([random.integer(1000), random.integer(1000), random.integer(1000)]).toMatchInlineSnapshot(`
      [
        848,
        750,
        493,
      ]
    `);
  });

  it('tells near seeds and kinds of seeds apart', () => {
    const firsts = [...Array.from({ length: 1000 }, (_, i) => seededRandom(i).uniform()), seededRandom('1').uniform()];
    expect(new Set(firsts).size).toBe(1001);
  });

  it('gives uncorrelated streams to neighbouring seeds', () => {
    const n = 4000;
    const xs = Array.from({ length: n }, (_, i) => seededRandom(i).uniform() - 0.5);
    const correlation = xs.slice(1).reduce((sum, x, i) => sum + x * xs[i]!, 0) / (n / 12);
    expect(Math.abs(correlation)).toBeLessThan(0.08);
  });

  it('derives 32-bit seeds that depend on every part and on where parts end', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.integer()), { minLength: 1 }), (parts) => {
        const seed = seedFrom(...parts);
        expect(Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff).toBe(true);
        expect(seedFrom(...parts, 1)).not.toBe(seed);
      }),
    );
    expect(seedFrom('ab', 'c')).not.toBe(seedFrom('a', 'bc'));
    expect(seedFrom(1, 23)).not.toBe(seedFrom(12, 3));
  });

  it('differs between two system generators', () => {
    expect(systemRandom().uniform()).not.toBe(systemRandom().uniform());
  });
});
