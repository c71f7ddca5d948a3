import type { Random } from './random.ts';

/**
 * An id that nobody else draws: 122 random bits in the form of a UUID (version 4). Unique like one, and no secret: tokens for
 * access come from `node:crypto`.
 */
export function randomId(random: Random): string {
  const digits = (count: number): string => Array.from({ length: count }, () => random.integer(16).toString(16)).join('');
  const variant = (8 + random.integer(4)).toString(16);
  return `${digits(8)}-${digits(4)}-4${digits(3)}-${variant}${digits(3)}-${digits(12)}`;
}
