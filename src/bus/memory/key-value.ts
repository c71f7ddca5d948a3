import type { Clock } from '../../clock/clock.ts';
import { MillraceError } from '../../errors.ts';
import type { KeyValue, KeyValueEntry } from '../bus.ts';
import { runCallback } from '../callback.ts';
import { checkSize } from '../message-size.ts';
import { checkFilter, checkKey, subjectMatches } from '../subject.ts';
import type { BucketSpec } from '../topology.ts';

type Change = { key: string; value: Uint8Array | undefined; revision: number };

interface Slot {
  value: Uint8Array;
  revision: number;
  timeMs: number;
}

/** One key-value bucket in memory, shared by every connection of a memory server. */
export class MemoryBucket implements KeyValue {
  readonly ttlMs: number;
  private readonly maxMessageBytes: number;
  /** Tells it from others of its name; undefined while it is deleted. */
  created: string | undefined;
  private readonly name: string;
  /** Keys of the deleted bucket, which watchers hear of when there is a new one. */
  private dropped: string[] = [];
  private readonly clock: Clock;
  /** In order of writing, so that the first is the first to expire. */
  private readonly slots = new Map<string, Slot>();
  /** Of keys that were deleted and not written since: what a deletion has in place of a value. */
  private readonly deletions = new Map<string, Pick<Slot, 'revision' | 'timeMs'>>();
  private readonly watchers = new Set<Watcher>();
  private revision = 0;
  private timer: AbortController | undefined;

  constructor(spec: BucketSpec, clock: Clock, maxBytes: number) {
    this.maxMessageBytes = maxBytes;
    this.ttlMs = spec.ttlMs;
    this.name = spec.name;
    this.clock = clock;
  }

  /** Makes the bucket, or a new one in place of one that was deleted: its revisions begin anew. */
  make(created: string): void {
    this.created = created;
    this.revision = 0;
    for (const key of this.dropped.splice(0)) this.tell({ key, value: undefined, revision: 0 });
  }

  /** Deletes the bucket with its values. */
  drop(): void {
    this.dropped = [...this.slots.keys()];
    this.slots.clear();
    this.deletions.clear();
    this.created = undefined;
  }

  get(key: string): Promise<KeyValueEntry | undefined> {
    return settled(() => {
      const slot = this.slot(key);
      return slot === undefined ? undefined : { key, value: slot.value.slice(), revision: slot.revision };
    });
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return settled(() => {
      this.slot(key);
      return this.write(key, value);
    });
  }

  create(key: string, value: Uint8Array): Promise<number> {
    return settled(() => {
      if (this.slot(key) !== undefined) throw new MillraceError('already_exists', `key ${key} exists already`, { field: 'key' });
      return this.write(key, value);
    });
  }

  update(key: string, value: Uint8Array, revision: number): Promise<number> {
    return settled(() => {
      this.check(key, revision);
      return this.write(key, value);
    });
  }

  delete(key: string, revision?: number): Promise<void> {
    return settled(() => {
      if (revision !== undefined) this.check(key, revision);
      else this.slot(key);
      this.slots.delete(key);
      this.revision++;
      this.deletions.delete(key);
      this.deletions.set(key, { revision: this.revision, timeMs: this.clock.now() });
      this.tell({ key, value: undefined, revision: this.revision });
    });
  }

  keys(filter = '>'): Promise<string[]> {
    return settled(() => {
      checkFilter(filter);
      this.checkThere();
      this.expire();
      return [...this.slots.keys()].filter((key) => subjectMatches(filter, key)).sort();
    });
  }

  async watch(filter: string, handler: (change: Change) => void): Promise<() => void> {
    checkFilter(filter);
    this.expire();
    const watcher = new Watcher(filter, handler);
    const present = [...this.slots].filter(([key]) => subjectMatches(filter, key));
    for (const [key, slot] of present) watcher.push({ key, value: slot.value, revision: slot.revision });
    this.watchers.add(watcher);
    await watcher.drained();
    return () => {
      this.watchers.delete(watcher);
      watcher.stop();
    };
  }

  /** Timers run only while somebody is connected, so that an unused server holds nothing up. */
  setTimers(on: boolean): void {
    if (on) this.schedule();
    else {
      this.timer?.abort();
      this.timer = undefined;
    }
  }

  private checkThere(): void {
    if (this.created === undefined)
      throw new MillraceError('unavailable', `there is no bucket ${this.name}; a coordinator makes it again`);
  }

  private slot(key: string): Slot | undefined {
    checkKey(key);
    this.checkThere();
    this.expire();
    return this.slots.get(key);
  }

  private check(key: string, revision: number): void {
    const newest = this.slot(key)?.revision ?? this.deletions.get(key)?.revision ?? 0;
    if (newest !== revision) {
      throw new MillraceError('aborted', `key ${key} is at revision ${newest}, not ${revision}: someone else wrote it`, {
        field: 'revision',
      });
    }
  }

  private write(key: string, value: Uint8Array): number {
    checkSize(`key ${key}`, value, {}, this.maxMessageBytes);
    this.revision++;
    const copy = value.slice();
    this.slots.delete(key);
    this.deletions.delete(key);
    this.slots.set(key, { value: copy, revision: this.revision, timeMs: this.clock.now() });
    this.tell({ key, value: copy, revision: this.revision });
    this.schedule();
    return this.revision;
  }

  private expire(): void {
    if (this.ttlMs === 0) return;
    const now = this.clock.now();
    for (const [key, { timeMs }] of this.deletions) {
      if (timeMs + this.ttlMs > now) break;
      this.deletions.delete(key);
    }
    for (const [key, slot] of this.slots) {
      if (slot.timeMs + this.ttlMs > now) return;
      this.slots.delete(key);
      this.tell({ key, value: undefined, revision: slot.revision });
    }
  }

  private schedule(): void {
    if (this.ttlMs === 0 || this.timer !== undefined) return;
    const first = this.slots.values().next().value;
    if (first === undefined) return;
    const timer = (this.timer = new AbortController());
    this.clock.sleep(Math.max(0, first.timeMs + this.ttlMs - this.clock.now()), timer.signal).then(
      () => {
        this.timer = undefined;
        this.expire();
        this.schedule();
      },
      () => {},
    );
  }

  private tell(change: Change): void {
    for (const watcher of this.watchers) if (subjectMatches(watcher.filter, change.key)) watcher.push(change);
  }
}

/** Delivers changes in order, each in a microtask after the write that made it. */
class Watcher {
  readonly filter: string;
  private readonly handler: (change: Change) => void;
  private chain: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(filter: string, handler: (change: Change) => void) {
    this.filter = filter;
    this.handler = handler;
  }

  push(change: Change): void {
    this.chain = this.chain.then(() => {
      if (!this.stopped) runCallback(() => this.handler({ ...change, value: change.value?.slice() }));
    });
  }

  drained(): Promise<void> {
    return this.chain;
  }

  stop(): void {
    this.stopped = true;
  }
}

function settled<T>(fn: () => T): Promise<T> {
  return new Promise((resolve) => resolve(fn()));
}
