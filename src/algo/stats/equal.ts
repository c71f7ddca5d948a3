/**
 * How much values may differ and still be equal, as a share of the largest one's size or of 1, whichever is larger: some
 * thousand roundings of double precision.
 */
export const TOLERANCE = 1e-12;

/**
 * Whether values are equal but for rounding: max - min <= tolerance x max(1, largest |value|). Fewer than two are.
 *
 * The share is of the values' own size because rounding is: at 3e7 two neighbouring doubles are 4e-9 apart. It is at least one of
 * 1 because values near 0 may be what is left of larger ones, as 0.1 + 0.2 - 0.3 is. Values must be finite.
 */
export function areEqual(values: readonly number[], tolerance = TOLERANCE): boolean {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (!(high > low)) return true;
  return high - low <= tolerance * Math.max(1, Math.abs(low), Math.abs(high));
}
