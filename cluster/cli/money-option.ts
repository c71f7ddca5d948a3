import { MillraceError } from '../../src/errors.ts';

/** Dollars as they are written on a command line, as whole micro-dollars. Throws `invalid_argument` that names the field. */
export function microDollarsOf(text: string, field: string): bigint {
  const [, whole = '', fraction = ''] = /^\$?(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text.trim()) ?? [];
  if (whole !== '') return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
  throw new MillraceError('invalid_argument', `${field}: got "${text}", expected US dollars from 0, e.g. 250 or 12.50.`, {
    field,
  });
}
