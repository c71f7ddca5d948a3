import { packRows } from './pack.ts';

/** Bytes that the rows of one table may take in a message: a group must stay below the megabyte a server takes by default. */
const ROW_BUDGET = 400_000;

/** How many times the budget rows may take before they are packed: they repeat each other, so that packing makes them a tenth. */
const UNPACKED = 4;

/** Longest texts tried, in characters, from what the store keeps down to none. */
const LIMITS = [4000, 1000, 250, 60, 0] as const;

/** Encodes rows. `cut` shortens a text to at most `limit` characters. */
type Encode = (cut: (text: string) => string, limit: number) => Uint8Array;

/**
 * Rows with the longest texts that fit the budget as they travel, packed or not; without any texts when not even that fits.
 *
 * @param uncut - bytes of the rows that no limit makes fewer: before packing, they are taken beside the budget
 */
export function withinBudget(encode: Encode, uncut = 0): Uint8Array {
  let rows: Uint8Array = new Uint8Array();
  for (const limit of LIMITS) {
    rows = encode((text) => (text.length <= limit ? text : limit === 0 ? '' : `${text.slice(0, limit - 1)}…`), limit);
    if (rows.length <= ROW_BUDGET + uncut) break;
    if (rows.length > UNPACKED * ROW_BUDGET) continue;
    const packed = packRows(rows);
    if (packed.length <= ROW_BUDGET) return packed;
  }
  return rows;
}
