import { MillraceError } from '../errors.ts';

/** Micro-dollars of one US dollar. */
const MICRO = 1_000_000;

/** Digits of a product of two decimal numbers that are meant: what follows is noise of binary fractions (0.0021 * 1e6 = 2100.0000000000005). */
const MEANT_DIGITS = 15;

/** Rounds up, but for the noise of binary fractions. */
export function roundUp(value: number): number {
  return Math.ceil(Number(value.toPrecision(MEANT_DIGITS)));
}

/**
 * US dollars in whole micro-dollars, rounded up: a call is never booked for less than it cost.
 *
 * @throws MillraceError `invalid_argument` for what is negative, no number, or more than can be counted exactly (9 billion dollars)
 */
export function microDollars(dollars: number): number {
  const micros = roundUp(dollars * MICRO);
  if (Number.isSafeInteger(micros) && dollars >= 0) return micros;
  throw new MillraceError('invalid_argument', `${dollars} is no amount of US dollars: expected 0 to 9,000,000,000`);
}

/** Whole micro-dollars as US dollars. */
export function dollarsOf(micros: number): number {
  return micros / MICRO;
}

/** `$1.50`, `$0.000125`: two decimals, and more where there are more. */
export function formatDollars(micros: number): string {
  const [whole = '0', fraction = ''] = (Math.abs(micros) / MICRO).toFixed(6).split('.');
  const sign = micros < 0 ? '-' : '';
  return `${sign}$${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${fraction.replace(/0{1,4}$/, '')}`;
}
