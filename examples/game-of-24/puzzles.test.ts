import { describe, expect, it } from 'vitest';
import { moves, play, solvablePuzzles, solve } from './puzzles.ts';
import { calculate, equals, rational, toText, type Rational } from './rational.ts';

const hand = (...numbers: number[]): Rational[] => numbers.map((n) => rational(n));

describe('rational numbers', () => {
  it('are exact and in lowest terms', () => {
    expect(rational(6, -8)).toEqual({ n: -3, d: 4 });
    expect(rational(0, -5)).toEqual({ n: 0, d: 1 });
    expect(calculate('divide', rational(8), rational(1, 3))).toEqual({ n: 24, d: 1 });
    expect(calculate('subtract', rational(3), rational(8, 3))).toEqual({ n: 1, d: 3 });
    expect(calculate('add', rational(1, 2), rational(1, 3))).toEqual({ n: 5, d: 6 });
    expect(calculate('divide', rational(1), rational(0))).toBeUndefined();
    expect([toText(rational(4, 2)), toText(rational(-1, 2))]).toEqual(['2', '-1/2']);
  });
});

describe('moves', () => {
  it('are two commutative ones a pair and four others', () => {
    expect(moves(hand(1, 2, 3, 4))).toHaveLength(6 * 2 + 6 * 4);
  });

  it('come once where numbers are equal, and never divide by zero', () => {
    expect(moves(hand(5, 5, 5, 5)).map((move) => toText(move.result))).toEqual(['10', '0', '25', '1']);
    expect(moves(hand(0, 7)).map((move) => move.operation)).toEqual(['add', 'subtract', 'subtract', 'multiply', 'divide']);
  });

  it('leave the others and the result on the table', () => {
    const [first] = moves(hand(2, 3, 4));
    expect(play(hand(2, 3, 4), first!).map(toText)).toEqual(['4', '5']);
  });
});

describe('puzzles', () => {
  const puzzles = solvablePuzzles();

  it('are the 1,362 sets of four numbers up to 13 that can be made into 24', () => {
    expect(puzzles).toHaveLength(1362);
    expect(new Set(puzzles.map(String)).size).toBe(1362);
  });

  it('include those that need fractions and leave out those that cannot be solved', () => {
    const listed = new Set(puzzles.map(String));
    for (const puzzle of ['3,3,8,8', '1,5,5,5', '3,3,7,7', '1,3,4,6']) expect(listed).toContain(puzzle);
    for (const puzzle of ['1,1,1,1', '1,6,7,8', '13,13,13,13']) expect(listed).not.toContain(puzzle);
  });

  // Exact: the probability that uniformly random moves end at 24, over all puzzles.
  it('are solved by chance in 0.6 % of the attempts', () => {
    const chance = (left: readonly Rational[]): number => {
      if (left.length === 1) return equals(left[0]!, 24) ? 1 : 0;
      const open = moves(left);
      return open.reduce((sum, move) => sum + chance(play(left, move)), 0) / open.length;
    };
    const sample = puzzles.filter((_, i) => i % 10 === 0);
    const mean = sample.reduce((sum, puzzle) => sum + chance(hand(...puzzle)), 0) / sample.length;
    expect(mean).toBeGreaterThan(0.004);
    expect(mean).toBeLessThan(0.009);
  });

  it('have no first move where there is no solution', () => {
    expect(solve(hand(1, 1, 1, 1))).toBeUndefined();
    expect(solve(hand(1, 5, 5, 5))).toMatchObject({ operation: 'divide' });
  });
});
