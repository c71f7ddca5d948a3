/** Bytes that the rows of one table may take in a message: a group must stay below the megabyte a server takes by default. */
export const ROW_BUDGET = 400_000;

/** Longest texts tried, in characters, from what the store keeps down to none. */
const LIMITS = [4000, 1000, 250, 60, 0] as const;

/** Encodes with the longest texts that fit the budget; without any when not even that fits. */
export function withinBudget(encode: (cut: (text: string) => string) => Uint8Array, budget = ROW_BUDGET): Uint8Array {
  let rows: Uint8Array = new Uint8Array();
  for (const limit of LIMITS) {
    rows = encode((text) => (text.length <= limit ? text : limit === 0 ? '' : `${text.slice(0, limit - 1)}…`));
    if (rows.length <= budget) break;
  }
  return rows;
}
