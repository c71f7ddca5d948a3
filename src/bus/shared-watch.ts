import type { KeyValue } from './bus.ts';
import type { KeyValueChange } from './nats/bucket-watch.ts';

interface Follower {
  /** Newest revision that it was told of; 0 = none, or deleted. */
  known: number;
  handler: (change: KeyValueChange) => void;
}

/**
 * Watches of single keys of one bucket that share one watch of all of it: each of its own would cost the server a consumer, or requests
 * every other second, for each key. The shared one is opened by the first and stays open until the bus is closed.
 */
export class SharedWatch {
  readonly #kv: KeyValue;
  readonly #followers = new Map<string, Set<Follower>>();
  #opening: Promise<() => void> | undefined;

  constructor(kv: KeyValue) {
    this.#kv = kv;
  }

  /** See {@link KeyValue.watch}, for one key. */
  async watch(key: string, handler: (change: KeyValueChange) => void): Promise<() => void> {
    const follower: Follower = { known: 0, handler };
    const all = this.#followers.get(key) ?? new Set<Follower>();
    this.#followers.set(key, all.add(follower));
    const stop = (): void => {
      all.delete(follower);
      if (all.size === 0 && this.#followers.get(key) === all) this.#followers.delete(key);
    };
    try {
      this.#opening ??= this.#kv.watch('>', (change) => this.#changed(change));
      await this.#opening;
      // The shared watch has told what is present before this one began.
      const present = await this.#kv.get(key);
      if (present && all.has(follower)) tell(follower, present);
    } catch (thrown) {
      stop();
      // One that could not be opened is tried again by the next.
      await this.#opening?.catch(() => (this.#opening = undefined));
      throw thrown;
    }
    return stop;
  }

  #changed(change: KeyValueChange): void {
    for (const follower of this.#followers.get(change.key) ?? []) tell(follower, change);
  }
}

function tell(follower: Follower, { key, value, revision }: KeyValueChange): void {
  if (value !== undefined && revision <= follower.known) return;
  // A bucket that was made anew, which begins with deletions, has other revisions.
  follower.known = value === undefined ? 0 : revision;
  follower.handler({ key, value, revision });
}
