import { calculate, equals, OPERATIONS, rational, type Operation, type Rational } from './rational.ts';

/** What four numbers are to be made into. */
export const TARGET = 24;

/** Combining the values at two places of a hand. */
export interface Move {
  operation: Operation;
  left: number;
  right: number;
  result: Rational;
}

/** All moves of a hand; sums and products once a pair, moves with the same numbers once. Division by zero is no move. */
export function moves(hand: readonly Rational[]): Move[] {
  const found: Move[] = [];
  // Equal numbers stand for each other: a move is known by the first places that hold its numbers.
  const first = hand.map((value) => hand.findIndex((other) => other.n === value.n && other.d === value.d));
  const seen = new Set<number>();
  for (const [index, operation] of OPERATIONS.entries()) {
    const commutes = operation === 'add' || operation === 'multiply';
    for (let left = 0; left < hand.length; left++) {
      for (let right = commutes ? left + 1 : 0; right < hand.length; right++) {
        if (left === right) continue;
        const [i, j] = [first[left]!, first[right]!];
        const key = index * 16 + (commutes && i > j ? j * 4 + i : i * 4 + j);
        if (seen.has(key)) continue;
        seen.add(key);
        const result = calculate(operation, hand[left]!, hand[right]!);
        if (result !== undefined) found.push({ operation, left, right, result });
      }
    }
  }
  return found;
}

/** The hand after a move: what is left, then the result. */
export function play(hand: readonly Rational[], move: Move): Rational[] {
  return [...hand.filter((_, place) => place !== move.left && place !== move.right), move.result];
}

/** A first move that leads to 24, if there is one. */
export function solve(hand: readonly Rational[]): Move | undefined {
  return moves(hand).find((move) => canReach(play(hand, move)));
}

function canReach(hand: readonly Rational[]): boolean {
  const [only] = hand;
  if (only !== undefined && hand.length === 1) return equals(only, TARGET);
  return solve(hand) !== undefined;
}

/** Every set of four numbers from 1 to `highest`, numbers ascending, repeats allowed, that can be made into 24. */
export function solvablePuzzles(highest = 13): number[][] {
  const puzzles: number[][] = [];
  for (let a = 1; a <= highest; a++)
    for (let b = a; b <= highest; b++)
      for (let c = b; c <= highest; c++)
        for (let d = c; d <= highest; d++) if (canReach([a, b, c, d].map((n) => rational(n)))) puzzles.push([a, b, c, d]);
  return puzzles;
}
