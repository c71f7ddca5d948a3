/** A text as it is, JSON with its structure. */
export function Code({ text }: { text: string }): preact.JSX.Element {
  return <pre class="text">{pretty(text)}</pre>;
}

/** JSON over several lines where one would be long; any other text as it is. */
export function pretty(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    const value: unknown = JSON.parse(text);
    const line = JSON.stringify(value);
    return line.length <= 80 ? line : JSON.stringify(value, undefined, 2);
  } catch {
    return text;
  }
}
