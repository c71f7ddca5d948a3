import { describe, expect, it } from 'vitest';
import type { Random } from './random.ts';

/** What every Random must do; `create` makes a generator, the same one again when `seeded`. */
export function randomConformance(name: string, create: () => Random, seeded: boolean): void {
  describe(`${name} is a Random`, () => {
    it('draws uniformly from [0, 1)', () => {
      const random = create();
      const bins = new Array<number>(10).fill(0);
      for (let i = 0; i < 20_000; i++) {
        const x = random.uniform();
        expect(x >= 0 && x < 1).toBe(true);
        bins[Math.floor(x * 10)]! += 1;
      }
      // Nine degrees of freedom: a chi-square of 40 has probability below 1e-5.
      expect(bins.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0)).toBeLessThan(40);
    });

    it('draws integers below n and refuses what is not a count', () => {
      const random = create();
      const seen = new Set<number>();
      for (let i = 0; i < 500; i++) seen.add(random.integer(7));
      expect([...seen].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect(random.integer(1)).toBe(0);
      for (const n of [0, -1, 1.5, NaN, Infinity]) expect(() => random.integer(n)).toThrow(RangeError);
    });

    it('draws standard normals', () => {
      const random = create();
      const xs = Array.from({ length: 20_000 }, () => random.normal());
      const mean = xs.reduce((a, b) => a + b, 0) / xs.length;
      const variance = xs.reduce((a, x) => a + (x - mean) ** 2, 0) / xs.length;
      expect(Math.abs(mean)).toBeLessThan(0.05);
      expect(Math.abs(variance - 1)).toBeLessThan(0.06);
    });

    it('forks by label, whatever was drawn before', () => {
      const random = create();
      const before = random.fork('a').uniform();
      random.uniform();
      random.normal();
      expect(random.fork('a').uniform()).toBe(before);
      const others = [random.fork('b'), random.fork(0), random.fork('0'), random.fork('a').fork('a')];
      const first = others.map((r) => r.uniform());
      expect(new Set([...first, before]).size).toBe(5);
    });

    if (seeded)
      it('repeats itself', () => {
        const [a, b] = [create(), create()];
        for (let i = 0; i < 100; i++) expect(a.uniform()).toBe(b.uniform());
        expect(a.normal()).toBe(b.normal());
      });
  });
}
