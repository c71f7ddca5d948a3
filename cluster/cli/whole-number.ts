import { MillraceError } from '../../src/errors.ts';

/**
 * A whole number that was given as text to an option.
 * @throws MillraceError invalid_argument with the option as field.
 */
export function wholeNumber(text: string, flag: string, least: number, most: number): number {
  const value = Number(text);
  if (/^-?\d+$/.test(text) && value >= least && value <= most) return value;
  throw new MillraceError('invalid_argument', `${flag}: got "${text}", expected a whole number from ${least} to ${most}.`, {
    field: flag,
  });
}
