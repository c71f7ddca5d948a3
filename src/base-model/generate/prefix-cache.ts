import type { Adapter } from '../forward/adapter.ts';
import type { TextMemory } from './passes.ts';

interface Entry {
  adapter: Adapter | undefined;
  tokens: readonly number[];
  memory: TextMemory;
}

/**
 * Beginnings of texts that were computed, for texts that begin alike: system prompts, siblings of a group, the turns of a conversation. Holds a number
 * of tokens; what was not used for longest goes first.
 */
export class PrefixCache {
  readonly #limit: number;
  /** The most recently used last. */
  #entries: Entry[] = [];
  #tokens = 0;

  /** @param limit - most tokens in it; 0: nothing is kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Tokens in it. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Whether it keeps anything. */
  get isOn(): boolean {
    return this.#limit > 0;
  }

  /** How many of the first tokens can be had. */
  match(adapter: Adapter | undefined, tokens: readonly number[]): number {
    return this.#find(adapter, tokens)?.length ?? 0;
  }

  /** Memory of the longest beginning that is known, to go on from; undefined when none is. @param most - no more tokens than this */
  take(adapter: Adapter | undefined, tokens: readonly number[], most: number): TextMemory | undefined {
    const found = this.#find(adapter, tokens);
    if (found === undefined || most < 1) return undefined;
    this.#touch(found.entry);
    return found.entry.memory.fork(Math.min(found.length, most));
  }

  /** Keeps what was computed of these tokens; the memory stays the caller's. It replaces entries that these tokens begin with. */
  add(adapter: Adapter | undefined, tokens: readonly number[], memory: TextMemory): void {
    if (tokens.length === 0 || tokens.length > this.#limit) return;
    const same = this.#find(adapter, tokens);
    if (same?.length === tokens.length) {
      this.#touch(same.entry);
      return;
    }
    this.#drop((entry) => entry.adapter === adapter && sharedLength(entry.tokens, tokens) === entry.tokens.length);
    this.#entries.push({ adapter, tokens: [...tokens], memory: memory.fork(tokens.length) });
    this.#tokens += tokens.length;
    while (this.#tokens > this.#limit) this.#drop((entry) => entry === this.#entries[0]);
  }

  /** Drops what was computed with an adapter, or with none. */
  forget(adapter: Adapter | undefined): void {
    this.#drop((entry) => entry.adapter === adapter);
  }

  clear(): void {
    this.#drop(() => true);
  }

  #find(adapter: Adapter | undefined, tokens: readonly number[]): { entry: Entry; length: number } | undefined {
    let best: { entry: Entry; length: number } | undefined;
    for (const entry of this.#entries) {
      if (entry.adapter !== adapter) continue;
      const length = sharedLength(entry.tokens, tokens);
      if (length > (best?.length ?? 0)) best = { entry, length };
    }
    return best;
  }

  #touch(entry: Entry): void {
    this.#entries = [...this.#entries.filter((each) => each !== entry), entry];
  }

  #drop(isOut: (entry: Entry) => boolean): void {
    const out = this.#entries.filter(isOut);
    this.#entries = this.#entries.filter((entry) => !out.includes(entry));
    for (const { tokens, memory } of out) {
      this.#tokens -= tokens.length;
      memory.dispose();
    }
  }
}

/** How many tokens two texts begin with alike. */
export function sharedLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}
