/** A run of the message in brackets, e.g. the options of an item. */
export interface Group {
  /** Offsets of the brackets themselves; `end` is just after the closing one. */
  start: number;
  end: number;
  /** What stands between the brackets. */
  inner: string;
}

const CLOSING: Record<string, string> = { '{': '}', '(': ')', '[': ']' };

/** The outermost bracketed groups of a text, in order. A bracket that is never closed is ordinary text. */
export function findGroups(text: string): Group[] {
  const groups: Group[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const close = CLOSING[text[i]!];
    if (close === undefined) continue;
    let depth = 0;
    for (let j = i; j < text.length; j += 1) {
      if (text[j] === text[i]) depth += 1;
      else if (text[j] === close) depth -= 1;
      if (depth === 0) {
        groups.push({ start: i, end: j + 1, inner: text.slice(i + 1, j) });
        i = j;
        break;
      }
    }
  }
  return groups;
}

/** The text with what groups hold blanked out, so that offsets stay and searches do not look inside. */
export function maskGroups(text: string, groups: readonly Group[]): string {
  let masked = text;
  for (const { start, end, inner } of groups)
    masked = masked.slice(0, start + 1) + ' '.repeat(inner.length) + masked.slice(end - 1);
  return masked;
}

/**
 * Reads `name: value` pairs between commas; names and values may be quoted. Undefined when an entry is not a pair.
 * Empty brackets are an empty record.
 */
export function readPairs(inner: string): Record<string, string> | undefined {
  const pairs: Record<string, string> = {};
  for (const entry of splitOutsideQuotes(inner, ',')) {
    if (entry.trim() === '') continue;
    const [name, ...rest] = splitOutsideQuotes(entry, ':=');
    if (name === undefined || rest.length === 0) return undefined;
    pairs[unquote(name)] = unquote(rest.join(':'));
  }
  return pairs;
}

function splitOutsideQuotes(text: string, separators: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quote: string | undefined;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i]!;
    if (quote !== undefined) {
      if (char === '\\') i += 1;
      else if (char === quote) quote = undefined;
    } else if ((char === "'" || char === '"') && /(?:^|[,:=])\s*$/.test(text.slice(0, i))) {
      // Only at the start of a name or value: the apostrophe in "it's" is no quote.
      quote = char;
    } else if (separators.includes(char)) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function unquote(text: string): string {
  const trimmed = text.trim();
  const quote = trimmed[0];
  if ((quote === "'" || quote === '"') && trimmed.endsWith(quote) && trimmed.length > 1) {
    return trimmed.slice(1, -1).replace(/\\(.)/g, '$1');
  }
  return trimmed;
}
