import { MillraceError } from '../errors.ts';

/** What an answer must hold. `internal` when it does not. */
export function answered<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new MillraceError('internal', `The server has answered without ${what}; is it of another version?`);
}
