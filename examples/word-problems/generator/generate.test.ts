import { describe, expect, it } from 'vitest';
import { problemSchema } from '../problem.ts';
import { generate } from './generate.ts';
import { KINDS } from './stories.ts';

describe('made-up problems', () => {
  const problems = generate(1200, 1);

  it('are valid, the same for the same seed and others for another', () => {
    for (const problem of problems) expect(problemSchema.parse(problem)).toEqual(problem);
    expect(generate(1200, 1)).toEqual(problems);
    expect(generate(50, 2)).not.toEqual(problems.slice(0, 50));
    expect(new Set(problems.map((p) => p.id)).size).toBe(1200);
  });

  it('have no placeholder left and whole, positive answers', () => {
    for (const { question, answer } of problems) {
      expect(question).not.toMatch(/[{}]|undefined/);
      expect(Number.isInteger(answer) && answer > 0).toBe(true);
    }
  });

  it('are of every kind, with one, two and three calls', () => {
    const numbers = new Map<number, number>();
    for (const problem of problems) numbers.set(problem.numbers.length, (numbers.get(problem.numbers.length) ?? 0) + 1);
    for (const n of [2, 3, 4]) expect(numbers.get(n)).toBeGreaterThan(50);
    expect(KINDS.length).toBeGreaterThan(10);
  });
});
