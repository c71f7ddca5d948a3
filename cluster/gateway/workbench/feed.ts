import { randomBytes } from 'node:crypto';

/** What somebody who knows a feed up to a cursor does not know yet. */
export interface Changes {
  /** Of the newest change; for the next question. */
  readonly cursor: string;
  /** `items` are all there are: what is known and not among them is gone. */
  readonly reset: boolean;
  readonly items: readonly unknown[];
  /** Keys of items that are gone. */
  readonly gone: readonly string[];
}

/** Removed keys that are remembered; whoever knows an older state gets everything. */
const MOST_GONE = 1000;

/**
 * Items by key in their newest state, numbered by when they changed. A reader says how far it knows and gets what is newer, each item once:
 * one that is slow skips states that were replaced meanwhile, and costs no memory.
 */
export class Feed {
  /** A cursor of another feed, of a gateway before this one, says nothing here. */
  readonly #epoch = randomBytes(6).toString('hex');
  readonly #items = new Map<string, { at: number; value: unknown }>();
  readonly #gone = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  /** Changes up to this one may have removed keys that are not remembered. */
  #forgotten = 0;
  #at = 0;

  /** Sets an item; it is then the newest. */
  set(key: string, value: unknown): void {
    this.#at += 1;
    this.#gone.delete(key);
    this.#items.delete(key);
    this.#items.set(key, { at: this.#at, value });
    this.#tell();
  }

  /** Removes an item. */
  delete(key: string): void {
    if (!this.#items.delete(key)) return;
    this.#at += 1;
    this.#gone.set(key, this.#at);
    for (const [oldest, at] of this.#gone) {
      if (this.#gone.size <= MOST_GONE) break;
      this.#gone.delete(oldest);
      this.#forgotten = at;
    }
    this.#tell();
  }

  /** Keys of the items. */
  keys(): string[] {
    return [...this.#items.keys()];
  }

  /** What changed after `cursor`; everything where that is empty or of another feed. Undefined: nothing. */
  since(cursor: string): Changes | undefined {
    const [epoch, number] = cursor.split(':');
    const at = epoch === this.#epoch && /^\d{1,15}$/.test(number ?? '') ? Number(number) : -1;
    const reset = at < this.#forgotten || at > this.#at;
    if (!reset && at === this.#at) return undefined;
    const after = reset ? -1 : at;
    return {
      cursor: `${this.#epoch}:${this.#at}`,
      reset,
      items: newer(this.#items, after).map(([, { value }]) => value),
      gone: reset ? [] : [...this.#gone].filter(([, when]) => when > after).map(([key]) => key),
    };
  }

  /** Calls `listener` after each change, until the function that it returns is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function newer<T extends { at: number }>(items: ReadonlyMap<string, T>, after: number): [string, T][] {
  return [...items].filter(([, { at }]) => at > after);
}
