import { EventHash } from './event-hash.ts';
import type { TraceEvent } from './trace.ts';

/** Options of {@link Recorder}. */
export interface RecorderOptions {
  /** Virtual milliseconds since the run began. */
  now: () => number;
  /** Keeps the events; otherwise they are hashed and counted only. Default false. */
  keep?: boolean;
}

/** Notes everything that happens in a run, in order: two runs of one seed have the same hash. */
export class Recorder {
  readonly #now: () => number;
  readonly #keep: boolean;
  readonly #hash = new EventHash();
  readonly events: TraceEvent[] = [];
  readonly #remembered = new Map<string, number>();
  #count = 0;

  constructor({ now, keep = false }: RecorderOptions) {
    this.#now = now;
    this.#keep = keep;
  }

  /** Events so far. */
  get count(): number {
    return this.#count;
  }

  /** Whether events are kept. */
  get isKept(): boolean {
    return this.#keep;
  }

  /** Hash of all events so far, 16 hex digits. */
  get hash(): string {
    return this.#hash.digest();
  }

  /** Notes an event; returns its index, for what follows from it. */
  note(lane: string, kind: string, text: string, more: Pick<TraceEvent, 'from' | 'fault' | 'lost'> = {}): number {
    const at = this.#now();
    const index = this.#count;
    this.#count += 1;
    this.#hash.add(at);
    this.#hash.add(lane);
    this.#hash.add(kind);
    this.#hash.add(text);
    if (this.#keep) this.events.push({ index, at, lane, kind, text, ...more });
    return index;
  }

  /** Keeps the index of an event under a name, for what follows from it. */
  remember(name: string, index: number): void {
    if (this.#keep) this.#remembered.set(name, index);
  }

  recall(name: string): number | undefined {
    return this.#remembered.get(name);
  }
}
