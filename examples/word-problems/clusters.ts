/**
 * Groups near-duplicate texts: two belong together when the Jaccard similarity of their word bigrams is above `threshold`,
 * directly or through others. Returns one name per text (the index of the first text of its cluster). Numbers and
 * punctuation are words like any other.
 */
export function clusters(texts: readonly string[], threshold = 0.5): number[] {
  const parent = Int32Array.from({ length: texts.length }, (_, i) => i);
  const find = (i: number): number => {
    let root = i;
    while (parent[root] !== root) root = parent[root] ?? root;
    // Halving the path keeps later searches short.
    for (let at = i; at !== root;) {
      const next = parent[at] ?? root;
      parent[at] = root;
      at = next;
    }
    return root;
  };
  const sizes: number[] = [];
  /** Texts that hold a bigram, by bigram. */
  const holders = new Map<string, number[]>();
  for (const [i, text] of texts.entries()) {
    const own = bigrams(text);
    sizes.push(own.size);
    const shared = new Map<number, number>();
    for (const bigram of own) {
      const list = holders.get(bigram) ?? [];
      for (const j of list) shared.set(j, (shared.get(j) ?? 0) + 1);
      list.push(i);
      holders.set(bigram, list);
    }
    for (const [j, both] of shared) {
      if (both <= threshold * (own.size + (sizes[j] ?? 0) - both)) continue;
      const [a, b] = [find(i), find(j)];
      parent[Math.max(a, b)] = Math.min(a, b);
    }
  }
  return texts.map((_, i) => find(i));
}

function bigrams(text: string): Set<string> {
  const words = text
    .toLowerCase()
    .split(/\s+/u)
    .filter((word) => word !== '');
  const found = new Set<string>();
  for (let i = 0; i + 1 < words.length; i++) found.add(`${words[i]} ${words[i + 1]}`);
  return found;
}
