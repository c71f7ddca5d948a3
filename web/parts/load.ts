import { useEffect, useRef, useState } from 'preact/hooks';
import { CallError } from '../api/rpc.ts';

/** Something that is asked for. */
export interface Loaded<T> {
  /** The newest answer; it stays while the next is asked for, and when that fails. */
  data: T | undefined;
  error: CallError | undefined;
  again: () => void;
}

const PAUSE_MS = 2000;

/** What a {@link Loader} has to say. */
export interface Told<T> {
  data?: T;
  error?: CallError;
}

/**
 * Asks a question again whenever it may have another answer. One question is on its way at a time, with a pause between two: however often
 * something changes, and however slow the answers are, the newest comes in the end.
 */
export class Loader<T> {
  readonly #ask: (signal: AbortSignal) => Promise<T>;
  readonly #tell: (told: Told<T>) => void;
  readonly #pauseMs: number;
  readonly #over = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #wanted = false;

  constructor(ask: (signal: AbortSignal) => Promise<T>, tell: (told: Told<T>) => void, pauseMs = PAUSE_MS) {
    this.#ask = ask;
    this.#tell = tell;
    this.#pauseMs = pauseMs;
  }

  /** Asks now, or once the question on its way is answered. */
  refresh(): void {
    this.#wanted = true;
    if (!this.#asking && this.#timer === undefined && !this.#over.signal.aborted) void this.#run();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#over.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#over;
    this.#asking = true;
    this.#wanted = false;
    try {
      const data = await this.#ask(signal);
      if (!signal.aborted) this.#tell({ data });
    } catch (thrown) {
      const error = thrown instanceof CallError ? thrown : new CallError(String(thrown), 'internal');
      if (!signal.aborted) this.#tell({ error });
    }
    this.#asking = false;
    if (signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#wanted) void this.#run();
    }, this.#pauseMs);
  }
}

/** Asks when the view opens and when `keys` change, and again when `version` does. */
export function useLoaded<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  keys: readonly unknown[],
  version: unknown = 0,
): Loaded<T> {
  const [told, setTold] = useState<Told<T>>({});
  const loader = useRef<Loader<T> | undefined>(undefined);
  useEffect(() => {
    setTold({});
    const made = new Loader(ask, (news) => setTold((before) => ('data' in news ? news : { ...before, ...news })));
    loader.current = made;
    return () => made.end();
  }, [JSON.stringify(keys)]);
  useEffect(() => loader.current?.refresh(), [JSON.stringify(keys), version]);
  return { data: told.data, error: told.error, again: () => loader.current?.refresh() };
}
