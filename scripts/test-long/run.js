/**
 * Runs tiers one after the other, and ends with one line for each. A tier is a function of its options and the root of the checkout; it
 * resolves with `{ failed }`, `{ skipped }` (why it cannot run here) or `{ passed }` (what ran).
 *
 * @param tiers - functions by name
 * @returns the exit code: 1 when one failed, or was skipped although it is required
 */
export async function run(tiers, { names, required, ...options }, { root, print }) {
  const lines = [];
  let code = 0;
  for (const name of names) {
    const { failed, skipped, passed } = await tiers[name](options, root).catch((error) => ({ failed: error.message }));
    if (failed !== undefined || (skipped !== undefined && required)) code = 1;
    if (failed !== undefined) lines.push(`${name}: failed: ${failed}`);
    else if (skipped !== undefined) lines.push(`${name}: ${required ? 'failed, it is required' : 'skipped'}: ${skipped}`);
    else lines.push(`${name}: passed: ${passed}`);
  }
  for (const line of lines) print(line);
  return code;
}
