import type { Bus, KeyValue } from '../../../src/bus/bus.ts';
import { MillraceError } from '../../../src/errors.ts';
import { decodePlaces, encodePlaces, NO_PLACES, type Places } from '../../../src/jobs/scheduler/places.ts';
import { SCHEDULER } from '../../../src/protocol/names.ts';

const KEY = 'places';

/** The scheduler's decision with its revision in the bucket; 0: there is none that can be read. */
export interface RevisedPlaces {
  places: Places;
  revision: number;
}

/** The scheduler's decision, followed: which jobs have a place. */
export class PlaceList {
  readonly #kv: KeyValue;
  readonly #handlers = new Set<(places: Places) => void>();
  #places = NO_PLACES;
  #opening: Promise<() => void> | undefined;
  #closed = false;

  constructor(bus: Bus) {
    this.#kv = bus.kv(SCHEDULER);
  }

  /** Follows the decision from the first call on; resolves once it is known, and rejects while it cannot be read. */
  async ready(): Promise<void> {
    if (this.#closed) return;
    this.#opening ??= this.#kv.watch(KEY, ({ value }) => {
      // What cannot be read is replaced by the scheduler.
      const places = value && readable(value);
      if (places) this.#known(places);
    });
    this.#opening.catch(() => (this.#opening = undefined));
    await this.#opening;
  }

  /** As far as is known here. */
  get places(): Places {
    return this.#places;
  }

  /** The ticket of a job that has a place, as far as is known here. */
  ticketOf(job: string): number | undefined {
    const { admitted } = this.#places;
    return Object.hasOwn(admitted, job) ? admitted[job]!.ticket : undefined;
  }

  /** Reads the newest decision. Throws when a newer version wrote it. */
  async fetch(): Promise<RevisedPlaces & { damaged: boolean }> {
    const entry = await this.#kv.get(KEY);
    if (entry === undefined) return { places: NO_PLACES, revision: 0, damaged: false };
    try {
      return { places: decodePlaces(entry.value), revision: entry.revision, damaged: false };
    } catch (thrown) {
      if (MillraceError.from(thrown).code !== 'data_loss') throw thrown;
      return { places: NO_PLACES, revision: entry.revision, damaged: true };
    }
  }

  /** Writes a decision in the place of the one of that revision. False when somebody else wrote meanwhile. */
  async replace(places: Places, revision: number): Promise<boolean> {
    try {
      const value = encodePlaces(places);
      await (revision === 0 ? this.#kv.create(KEY, value) : this.#kv.update(KEY, value, revision));
    } catch (thrown) {
      const { code } = MillraceError.from(thrown);
      if (code === 'aborted' || code === 'already_exists') return false;
      throw thrown;
    }
    this.#known(places);
    return true;
  }

  /** Called with every decision from now on. Returns a function that stops it. */
  onChange(handler: (places: Places) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  close(): void {
    this.#closed = true;
    this.#handlers.clear();
    void this.#opening?.then((stop) => stop()).catch(() => undefined);
  }

  #known(places: Places): void {
    this.#places = places;
    for (const handler of this.#handlers) handler(places);
  }
}

function readable(value: Uint8Array): Places | undefined {
  try {
    return decodePlaces(value);
  } catch {
    return undefined;
  }
}
