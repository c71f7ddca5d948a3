import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { draw, logProbabilityOf } from './sampling.ts';

const LOGITS = Float32Array.of(1, 3, 2, 0, 3, -1);

/** Probabilities as the definitions of the options say, tokens from the most likely on. */
function expected(
  logits: Float32Array,
  { temperature, topK = Infinity, topP = 1 }: { temperature: number; topK?: number; topP?: number },
): Map<number, number> {
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b).slice(0, topK);
  const weights = order.map((id) => Math.exp(logits[id]! / temperature));
  const all = weights.reduce((total, weight) => total + weight, 0);
  let [count, sum] = [0, 0];
  // A sum is full before its last weights where those are below its rounding; topP = 1 leaves none of them out.
  while (count < weights.length && (topP === 1 || sum < topP * all)) sum += weights[count++]!;
  return new Map(order.slice(0, count).map((id, index) => [id, weights[index]! / sum]));
}

describe('drawing a token', () => {
  it('takes the most likely one at temperature 0, the first of equals, with its log-probability at temperature 1', () => {
    const { token, logProbability } = draw(LOGITS, { temperature: 0, topK: 1 }, undefined, 0.9);
    expect(token).toBe(1);
    expect(logProbability).toBeCloseTo(Math.log(expected(LOGITS, { temperature: 1 }).get(1)!), 6);
  });

  it('draws from the distribution that the options describe', () => {
    const options = fc.record({
      temperature: fc.double({ min: 0.2, max: 3, noNaN: true }),
      topK: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
      topP: fc.option(fc.constantFrom(0.05, 0.37, 0.81, 0.999), { nil: undefined }),
    });
    const logits = fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        logits,
        options,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (values, { temperature, topK, topP }, uniform) => {
          const row = Float32Array.from(values, (value) => value / 10);
          const sampling = { temperature, ...(topK !== undefined && { topK }), ...(topP !== undefined && { topP }) };
          const distribution = expected(row, sampling);
          for (const id of row.keys()) {
            const found = logProbabilityOf(id, row, sampling, undefined);
            if (distribution.has(id)) expect(found).toBeCloseTo(Math.log(distribution.get(id)!), 5);
            else expect(found).toBe(-Infinity);
          }
          const { token, logProbability } = draw(row, sampling, undefined, uniform);
          expect(logProbability).toBe(logProbabilityOf(token, row, sampling, undefined));
          let before = 0;
          for (const id of [...distribution.keys()].sort((a, b) => a - b)) {
            if (id === token) break;
            before += distribution.get(id)!;
          }
          expect(uniform).toBeGreaterThan(before - 1e-6);
          expect(uniform).toBeLessThan(before + distribution.get(token)! + 1e-6);
        },
      ),
    );
  });

  it('draws among allowed tokens, with their probabilities', () => {
    const allowed = Uint32Array.of(0, 3);
    const odds = Math.exp(1);
    expect(logProbabilityOf(0, LOGITS, { temperature: 1 }, allowed)).toBeCloseTo(Math.log(odds / (odds + 1)), 6);
    expect(logProbabilityOf(1, LOGITS, { temperature: 1 }, allowed)).toBe(-Infinity);
    expect(draw(LOGITS, { temperature: 1 }, allowed, 0).token).toBe(0);
    expect(draw(LOGITS, { temperature: 1 }, allowed, 0.99).token).toBe(3);
    expect(draw(LOGITS, { temperature: 0 }, allowed, 0.99).token).toBe(0);
  });

  it.each([NaN, Infinity])('refuses logits with %s', (bad) => {
    const row = Float32Array.of(0, bad, 1);
    expect(() => draw(row, { temperature: 1 }, undefined, 0.5)).toThrow(/no finite logits/);
    expect(() => draw(row, { temperature: 1, topP: 0.5 }, undefined, 0.5)).toThrow(/no finite logits/);
  });
});
