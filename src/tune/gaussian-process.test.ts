import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gaussianProcess, matern52 } from './gaussian-process.ts';
import { fitGaussianProcess } from './length-scales.ts';
import { seededRandom } from '../random/seeded.ts';

const POINTS = [
  [0.1, 0.2],
  [0.4, 0.9],
  [0.8, 0.3],
  [0.5, 0.5],
];
const VALUES = [0.3, -0.7, 1.1, 0.4];

describe('gaussianProcess', () => {
  // The figures are from a program of its own in another language, which inverts the covariance by Gauss-Jordan elimination.
  it('has the posterior and the likelihood of a worked case', () => {
    const process = gaussianProcess(POINTS, VALUES, { lengthScales: [0.5, 0.8], noise: 0.01, variance: 1.7, mean: 0.2 })!;
    const { mean, variance } = process.predict([
      [0.3, 0.3],
      [0.1, 0.2],
      [0.95, 0.95],
    ]);
    const expected = {
      mean: [0.39037147889898277, 0.29793701804747647, 0.3175878128974074],
      variance: [0.12439248957367499, 0.01673202615307212, 0.966840131462322],
    };
    mean.forEach((value, i) => expect(value).toBeCloseTo(expected.mean[i]!, 7));
    variance.forEach((value, i) => expect(value).toBeCloseTo(expected.variance[i]!, 7));
    expect(process.logLikelihood).toBeCloseTo(-4.627190125006178, 7);
    const profiled = gaussianProcess(POINTS, VALUES, { lengthScales: [0.5, 0.8], noise: 0.01, mean: 0.2 })!;
    expect(profiled.variance).toBeCloseTo(0.8792117065654836, 7);
    expect(profiled.logLikelihood).toBeGreaterThan(process.logLikelihood);
  });

  it('is what two equations say for one observation', () => {
    const process = gaussianProcess([[0.2]], [3], { lengthScales: [0.5], noise: 0.25, variance: 2, mean: 1 })!;
    const k = matern52(0.4 / 0.5);
    const { mean, variance } = process.predict([[0.6]]);
    expect(mean[0]).toBeCloseTo(1 + (k * 2) / 1.25, 9);
    expect(variance[0]).toBeCloseTo(2 * (1 - (k * k) / 1.25), 9);
    expect(process.predict([])).toEqual({ mean: [], variance: [] });
  });

  it('passes through observations without noise, and knows less further away', () => {
    const point = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 2 });
    const observation = fc.record({ point, value: fc.double({ min: -5, max: 5, noNaN: true }) });
    const apart = (a: number[], b: number[]): boolean => Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!) > 0.1;
    fc.assert(
      fc.property(fc.array(observation, { minLength: 1, maxLength: 8 }), point, (all, asked) => {
        const observations = all.filter(({ point: a }, i) => all.slice(0, i).every(({ point: b }) => apart(a, b)));
        const [points, values] = [observations.map((o) => o.point), observations.map((o) => o.value)];
        const process = gaussianProcess(points, values, { lengthScales: [0.4, 0.4], noise: 0, variance: 1 })!;
        const { mean, variance } = process.predict([...points, asked]);
        values.forEach((value, i) => {
          expect(mean[i]).toBeCloseTo(value, 4);
          expect(variance[i]).toBeLessThan(1e-6);
        });
        expect(variance.at(-1)).toBeGreaterThanOrEqual(0);
        expect(variance.at(-1)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('averages equal points, and gives no numbers where there is no covariance', () => {
    const same = Array.from({ length: 40 }, () => [0.5]);
    const process = gaussianProcess(
      same,
      same.map((_, i) => i),
      { lengthScales: [1], noise: 0.1 },
    );
    expect(process?.predict([[0.5]]).mean[0]).toBeCloseTo(19.5, 0);
    expect(gaussianProcess([[0], [0]], [1, 1], { lengthScales: [1], noise: -0.5 })).toBeUndefined();
  });
});

describe('fitGaussianProcess', () => {
  it('finds out which coordinate matters, and that there is noise', () => {
    const random = seededRandom(4);
    const points = Array.from({ length: 30 }, () => [random.uniform(), random.uniform()]);
    const smooth = points.map(([x]) => Math.sin(7 * x!));
    const clean = fitGaussianProcess(points, smooth, [0, 1]);
    expect(clean.lengthScales[0]!).toBeLessThan(clean.lengthScales[1]!);
    expect(clean.predict([[0.4, 0.9]]).mean[0]).toBeCloseTo(Math.sin(2.8), 1);
    const noisy = fitGaussianProcess(
      points,
      smooth.map((value) => value + 0.7 * random.normal()),
      [0, 1],
    );
    expect(noisy.noise).toBeGreaterThan(clean.noise);
  });

  it('moves with its values: scaling and shifting them scales and shifts what it says', () => {
    const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(
        values,
        fc.double({ min: 0.1, max: 100, noNaN: true }),
        fc.double({ min: -50, max: 50, noNaN: true }),
        (y, a, b) => {
          fc.pre(Math.max(...y) - Math.min(...y) > 0.01);
          const [plain, moved] = [y, y.map((value) => a * value + b)].map((v) =>
            fitGaussianProcess(POINTS, v, [0, 1]).predict([[0.3, 0.3]]),
          );
          expect(moved!.mean[0]).toBeCloseTo(a * plain!.mean[0]! + b, 4);
          expect(Math.sqrt(moved!.variance[0]!)).toBeCloseTo(a * Math.sqrt(plain!.variance[0]!), 4);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('has an answer for values that are all the same, and for one observation', () => {
    const flat = fitGaussianProcess(POINTS, [1, 1, 1, 1], [0, 0]).predict([[0.3, 0.3]]);
    expect(flat.mean[0]).toBeCloseTo(1, 9);
    // The mean of six times 0.7 is not 0.7: what is left of rounding is no deviation.
    const six = Array.from({ length: 6 }, (_, i) => [i / 5]);
    const [exact, rounded] = [0.5, 0.7].map((y) => fitGaussianProcess(six, new Array<number>(6).fill(y), [0]).predict([[0.3]]));
    expect(rounded!.mean[0]).toBeCloseTo(0.7, 12);
    expect(rounded!.variance[0]).toBeCloseTo(exact!.variance[0]!, 12);
    const one = fitGaussianProcess([[0.5]], [0.7], [0]).predict([[0.1]]);
    expect(one.mean[0]).toBeCloseTo(0.7, 9);
    expect(one.variance[0]).toBeGreaterThan(0);
  });
});
