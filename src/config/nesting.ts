/** Deepest lists and sections that are taken: what goes through a value calls itself at each level. */
export const MOST_NESTED = 100;

/** The key of a value, or index of a list, under which it is nested more than {@link MOST_NESTED} deep; undefined when it nowhere is. */
export function nestedTooDeeply(value: unknown): string | undefined {
  // Not by recursion: that is what the value is checked for.
  const left: { at: unknown; depth: number; key: string }[] = [{ at: value, depth: 0, key: '' }];
  for (let next = left.pop(); next; next = left.pop()) {
    const { at, depth, key } = next;
    if (typeof at !== 'object' || at === null) continue;
    if (depth >= MOST_NESTED) return key;
    for (const [name, inside] of Object.entries(at)) left.push({ at: inside, depth: depth + 1, key: depth === 0 ? name : key });
  }
  return undefined;
}
