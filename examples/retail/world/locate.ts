/**
 * Line (1-based) at which the value at `path` starts in a JSON text, so that an error can point at it. Where the path leads
 * nowhere (a missing field), the line of the innermost value that exists. The text must be valid JSON.
 */
export function lineOf(text: string, path: readonly PropertyKey[]): number {
  let position = 0;

  function skipSpace(): void {
    while (/\s/.test(text[position] ?? '')) position += 1;
  }

  function skipString(): string {
    const start = position;
    for (position += 1; text[position] !== '"' && position < text.length; position += 1)
      if (text[position] === '\\') position += 1;
    position += 1;
    return text.slice(start, position);
  }

  function skipValue(): void {
    const first = text[position];
    if (first === '"') {
      skipString();
    } else if (first === '{' || first === '[') {
      let depth = 0;
      do {
        const char = text[position];
        if (char === '"') {
          skipString();
          continue;
        }
        if (char === '{' || char === '[') depth += 1;
        if (char === '}' || char === ']') depth -= 1;
        position += 1;
      } while (depth > 0 && position < text.length);
    } else {
      while (position < text.length && !/[\s,\]}]/.test(text[position]!)) position += 1;
    }
  }

  /** Moves to the child's value; false (and no move) when there is none. */
  function enter(step: PropertyKey): boolean {
    const start = position;
    const object = text[position] === '{';
    if (!object && text[position] !== '[') return false;
    position += 1;
    for (let index = 0; ; index += 1) {
      skipSpace();
      if (position >= text.length || text[position] === '}' || text[position] === ']') break;
      let key: unknown = index;
      if (object) {
        key = JSON.parse(skipString());
        skipSpace();
        position += 1;
        skipSpace();
      }
      if (key === (object ? String(step) : step)) return true;
      skipValue();
      skipSpace();
      if (text[position] === ',') position += 1;
    }
    position = start;
    return false;
  }

  skipSpace();
  for (const step of path) if (!enter(step)) break;
  return text.slice(0, position).split('\n').length;
}
