import { runCallback } from '../callback.ts';
import { checkFilter, checkSubject, subjectMatches } from '../subject.ts';

interface Listener {
  filter: string;
  handler: (data: Uint8Array, subject: string) => void;
}

/** Plain publish and subscribe: at most once, to those who listen right now. */
export class MemoryListeners {
  readonly #listeners = new Set<Listener>();

  emit(subject: string, data: Uint8Array): void {
    checkSubject(subject);
    for (const listener of this.#listeners) {
      if (!subjectMatches(listener.filter, subject)) continue;
      const copy = data.slice();
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) runCallback(() => listener.handler(copy, subject));
      });
    }
  }

  /** Returns a function that stops it. */
  listen(filter: string, handler: Listener['handler']): () => void {
    checkFilter(filter);
    const listener: Listener = { filter, handler };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
