/** Arguments and results are kept up to this many characters. */
const MAX_RECORDED_TEXT = 4000;

/** For people who read steps: what JSON cannot hold is shown as text, never an error. */
export function textOf(value: unknown): string {
  if (value === undefined) return '';
  let text: string | undefined;
  try {
    text = typeof value === 'string' ? value : (JSON.stringify(value) as string | undefined);
  } catch {
    // Cyclic, a BigInt, or a toJSON that throws.
  }
  text ??= Object.prototype.toString.call(value);
  return text.length > MAX_RECORDED_TEXT ? `${text.slice(0, MAX_RECORDED_TEXT - 1)}…` : text;
}
