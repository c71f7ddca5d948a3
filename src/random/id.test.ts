import { describe, expect, it } from 'vitest';
import { randomId } from './id.ts';
import { seededRandom, systemRandom } from './seeded.ts';

describe('randomId', () => {
  it('has the form of a UUID', () => {
    const random = systemRandom();
    for (let i = 0; i < 100; i++)
      expect(randomId(random)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('differs from draw to draw, and follows from the seed', () => {
    const draw = (seed: number): string[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 1000 }, () => randomId(random));
    };
    expect(new Set([...draw(1), ...draw(2)]).size).toBe(2000);
    expect(draw(1)).toEqual(draw(1));
  });
});
