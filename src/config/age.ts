import { MillraceError } from '../errors.ts';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;

/** How an age is written: a whole number and its unit. */
const AGE = /^([1-9]\d{0,5})([smhdw])$/;

/** "30d" → seconds. Units: s, m, h, d, w. `invalid_argument` naming `field` for anything else. */
export function parseAge(text: string, field: string): number {
  const [, count, unit] = AGE.exec(text) ?? [];
  if (count === undefined)
    throw new MillraceError('invalid_argument', `${field}: got "${text}", expected an age like 30m, 12h, 30d or 8w.`, { field });
  return Number(count) * SECONDS[unit as keyof typeof SECONDS];
}
