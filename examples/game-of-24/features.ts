import { TARGET, play, type Move } from './puzzles.ts';
import { toNumber, type Rational } from './rational.ts';

/** What one value looks like, as numbers of the order of 1. */
const VALUE = ['size', 'scaled', 'whole', 'negative', 'zero', 'target', 'divides', 'multiple'] as const;

/** Whole numbers that get a feature of their own. */
const NAMED = Array.from({ length: 24 }, (_, i) => i + 1);

/** Names of the features of a value, each with the prefix. */
function names(prefix: string): string[] {
  return [...VALUE.map((name) => `${prefix}_${name}`), ...NAMED.map((n) => `${prefix}_is_${n}`)];
}

/** Sets what is not zero. */
function describe(prefix: string, value: Rational, flags: Record<string, number | boolean>): void {
  const number = toNumber(value);
  if (number === 0) {
    flags[`${prefix}_zero`] = flags[`${prefix}_whole`] = true;
    return;
  }
  flags[`${prefix}_size`] = Math.log2(1 + Math.abs(number)) / 5;
  flags[`${prefix}_scaled`] = Math.max(-3, Math.min(3, number / TARGET));
  if (number < 0) flags[`${prefix}_negative`] = true;
  if (value.d !== 1) return;
  flags[`${prefix}_whole`] = true;
  if (number === TARGET) flags[`${prefix}_target`] = true;
  if (TARGET % number === 0) flags[`${prefix}_divides`] = true;
  if (number % TARGET === 0) flags[`${prefix}_multiple`] = true;
  if (number >= 1 && number <= NAMED.length) flags[`${prefix}_is_${number}`] = true;
}

/** Features of a number on the table. */
export const ITEM_FEATURES = names('value');

export function itemFlags(value: Rational): Record<string, number | boolean> {
  const flags: Record<string, number | boolean> = {};
  describe('value', value, flags);
  return flags;
}

/**
 * Features of a move: the calculator's preview of its result, and what would be left on the table beside it, smallest first.
 * The preview is of this move alone; nothing says which move comes next, or whether 24 can still be reached.
 */
export const ACTION_FEATURES = [...names('result'), ...names('rest1'), ...names('rest2'), 'rests', 'equal', 'last'];

export function actionFlags(hand: readonly Rational[], move: Move): Record<string, number | boolean> {
  const flags: Record<string, number | boolean> = {};
  describe('result', move.result, flags);
  const rest = play(hand, move)
    .slice(0, -1)
    .sort((a, b) => toNumber(a) - toNumber(b));
  for (const [i, value] of rest.entries()) describe(`rest${i + 1}`, value, flags);
  flags['rests'] = rest.length / 2;
  flags['equal'] = rest.some((value) => value.n === move.result.n && value.d === move.result.d);
  flags['last'] = rest.length === 0;
  return flags;
}
