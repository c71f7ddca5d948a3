import { MillraceError } from '../src/errors.ts';

/** The names of a comma-separated option, or all `known` ones when it is not given; `invalid_argument` for others. */
export function listOf(option: string, given: string | undefined, known: readonly string[]): readonly string[] {
  if (given === undefined) return known;
  return given.split(',').map((name) => oneOf(option, name.trim(), known));
}

/** An option's value, which must be one of `known`. */
export function oneOf<T extends string>(option: string, given: string, known: readonly T[]): T {
  const found = known.find((name) => name === given);
  if (found !== undefined) return found;
  throw new MillraceError('invalid_argument', `${option}: "${given}" is none of ${known.join(', ')}`, { field: option });
}

/** An option's value as an integer of at least `least`. */
export function integerOf(option: string, given: string, least: number): number {
  const value = Number(given);
  if (/^\d+$/.test(given) && Number.isSafeInteger(value) && value >= least) return value;
  throw new MillraceError('invalid_argument', `${option}: "${given}" is not an integer of at least ${least}`, { field: option });
}
