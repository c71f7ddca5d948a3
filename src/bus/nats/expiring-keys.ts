import type { BucketWatchOptions, KeyValueChange } from './bucket-watch.ts';

interface Slot {
  revision: number;
  /** Monotonic milliseconds. */
  expiresAt: number;
}

/**
 * The keys of a bucket that are present as far as a watcher knows. Servers before 2.11 say nothing of expiry: where values live for a
 * time only, each is looked up when that is over, and reported once it is gone.
 */
export class ExpiringKeys {
  private readonly options: Pick<BucketWatchOptions, 'ttlMs' | 'newest'>;
  private readonly onExpired: (change: KeyValueChange) => void;
  private readonly slots = new Map<string, Slot>();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(options: Pick<BucketWatchOptions, 'ttlMs' | 'newest'>, onExpired: (change: KeyValueChange) => void) {
    this.options = options;
    this.onExpired = onExpired;
  }

  /** A value was written at `writtenAt`, in Unix milliseconds. */
  add(key: string, revision: number, writtenAt: number): void {
    const { ttlMs } = this.options;
    if (ttlMs === 0) {
      this.slots.set(key, { revision, expiresAt: Infinity });
      return;
    }
    const age = Math.min(Math.max(0, Date.now() - writtenAt), ttlMs);
    this.slots.set(key, { revision, expiresAt: performance.now() + ttlMs - age });
    this.schedule();
  }

  /** A key was deleted; false when it was not known. */
  delete(key: string): boolean {
    return this.slots.delete(key);
  }

  /** Forgets all keys; returns them with their revisions. */
  takeAll(): { key: string; revision: number }[] {
    const all = [...this.slots].map(([key, { revision }]) => ({ key, revision }));
    this.slots.clear();
    return all;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.timer !== undefined || this.stopped) return;
    let first = Infinity;
    for (const { expiresAt } of this.slots.values()) first = Math.min(first, expiresAt);
    if (first === Infinity) return;
    this.timer = setTimeout(() => void this.expire(), Math.max(5, first - performance.now()));
  }

  private async expire(): Promise<void> {
    const { ttlMs, newest } = this.options;
    const recheckMs = Math.max(50, ttlMs / 50);
    for (const [key, slot] of [...this.slots]) {
      if (this.stopped) return;
      if (slot.expiresAt > performance.now()) continue;
      // The server has not got round to it yet, cannot be asked, or a newer value is on its way: look again soon.
      slot.expiresAt = performance.now() + recheckMs;
      const gone = await newest(key).then(
        (found) => found === undefined,
        () => false,
      );
      if (!gone || this.stopped || this.slots.get(key) !== slot) continue;
      this.slots.delete(key);
      this.onExpired({ key, value: undefined, revision: slot.revision });
    }
    this.timer = undefined;
    this.schedule();
  }
}
