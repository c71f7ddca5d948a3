import { InvalidArgumentError } from 'commander';

/** Parser of an option that may be repeated. */
export function append(value: string, before: string[]): string[] {
  return [...before, value];
}

/** Parser of a number above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('expected a number above 0');
}

/** Parser of a whole number of at least 0. */
export function whole(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('expected a whole number');
}

/** Parser of a whole number of at least 1. */
export function natural(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('expected a whole number from 1');
}
