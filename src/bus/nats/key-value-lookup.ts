import type { StreamInfo } from '@nats-io/jetstream';
import type { Subscription } from '@nats-io/nats-core';
import { runCallback } from '../callback.ts';
import type { BucketWatchOptions, Found, KeyValueChange } from './bucket-watch.ts';
import type { JetStreamConnection } from './connection.ts';

/** How often it is compared with the bucket what the handler knows: news may be missed, and expiry is none. */
const COMPARE_MS = 2_000;
/** A write is heard of before it is stored, or was refused: it is looked for after these times, in ms. */
const LOOKS_MS = [0, 5, 20, 80, 300];
/** Pause between two looks at one key, in ms: several writes in a row are one change, and every look is a request. */
const REST_MS = 20;
/** Keys that are looked up at once. */
const WINDOW = 32;

/** What a lookup follows, and how. */
export interface LookupOptions extends Omit<BucketWatchOptions, 'ttlMs'> {
  /** Asks for the first message that the filter lets through and that has this revision or a later one. */
  after: (revision: number) => Promise<(Found & { key: string }) | undefined>;
}

/**
 * Follows a bucket without a consumer, which a worker may not make: what is written to the bucket's subjects is news for every
 * subscriber, and says which key to look up.
 */
export class KeyValueLookup {
  private readonly link: JetStreamConnection;
  private readonly stream: string;
  private readonly prefix: string;
  private readonly filter: string;
  private readonly newest: (key: string) => Promise<Found | undefined>;
  private readonly after: LookupOptions['after'];
  private readonly handler: (change: KeyValueChange) => void;
  /** Revisions of the keys that are present as far as the handler knows. */
  private readonly present = new Map<string, number>();
  /** Keys that are being looked up; true when news came meanwhile. */
  private readonly looking = new Map<string, boolean>();
  /** Keys that the bucket has a message about, be it of a deletion. */
  private listed = new Set<string>();
  /** All up to here was looked at. */
  private lastSequence = 0;
  /** What was looked at beyond that. */
  private readonly seen = new Set<number>();
  private created = '';
  private subscription: Subscription | undefined;
  private timer: NodeJS.Timeout | undefined;
  private offReconnect: (() => void) | undefined;
  private comparing: Promise<void> | undefined;
  private stopped = false;

  constructor(link: JetStreamConnection, { stream, prefix, filter, newest, handler, after }: LookupOptions) {
    this.link = link;
    this.stream = stream;
    this.prefix = prefix;
    this.filter = filter;
    this.newest = newest;
    this.after = after;
    this.handler = handler;
  }

  /** Resolves when the handler has heard of everything present. */
  async start(): Promise<void> {
    this.subscription = this.link.nc.subscribe(`${this.prefix}${this.filter}`, {
      callback: (error, message) => {
        if (error === null) void this.look(message.subject.slice(this.prefix.length));
      },
    });
    await this.compare();
    if (this.stopped) return;
    const again = (): void => {
      this.comparing ??= this.compare()
        .catch(() => {})
        .finally(() => (this.comparing = undefined));
    };
    this.offReconnect = this.link.onReconnect(again);
    this.timer = setInterval(again, COMPARE_MS);
  }

  stop(): void {
    this.stopped = true;
    this.offReconnect?.();
    clearInterval(this.timer);
    this.subscription?.unsubscribe();
  }

  private async compare(): Promise<void> {
    const { created, state } = await this.info();
    if (this.stopped) return;
    const isAnother = created !== this.created;
    if (isAnother) {
      // A bucket that was made anew has other revisions.
      for (const [key, revision] of [...this.present]) this.gone(key, revision);
      this.created = created;
      this.lastSequence = 0;
      this.seen.clear();
    }
    // The list of all keys is long, and made anew each time it is asked for.
    if (isAnother || this.filter !== '>' || state.num_subjects !== this.listed.size) await this.compareKeys(isAnother);
    await this.readFrom(this.lastSequence + 1, state.last_seq);
  }

  /** @param all - reads every key, at once; what is not known of them comes one by one otherwise */
  private async compareKeys(all: boolean): Promise<void> {
    const { state } = await this.info(`${this.prefix}${this.filter}`);
    const keys = Object.keys(state.subjects ?? {}).map((subject) => subject.slice(this.prefix.length));
    this.listed = new Set(keys);
    for (const [key, revision] of [...this.present]) if (!this.listed.has(key)) await this.expired(key, revision);
    if (!all) return;
    const found: { key: string; entry: Found }[] = [];
    for (let at = 0; at < keys.length; at += WINDOW) {
      const some = keys.slice(at, at + WINDOW).map(async (key) => ({ key, entry: await this.newest(key) }));
      for (const { key, entry } of await Promise.all(some)) if (entry !== undefined) found.push({ key, entry });
    }
    for (const { key, entry } of found.sort((a, b) => a.entry.revision - b.entry.revision)) this.take(key, entry);
    this.lookedAt(state.last_seq);
  }

  /** Reads what is newer than what was looked at: overwritten messages are gone, so that each is the newest about its key. */
  private async readFrom(first: number, last: number): Promise<void> {
    let next = first;
    while (next <= last && !this.stopped) {
      if (this.seen.has(next)) next += 1;
      else {
        const found = await this.after(next);
        if (found === undefined) break;
        this.take(found.key, found);
        next = found.revision + 1;
      }
    }
    this.lookedAt(next - 1);
  }

  private lookedAt(sequence: number): void {
    this.lastSequence = Math.max(this.lastSequence, sequence);
    while (this.seen.has(this.lastSequence + 1)) this.lastSequence += 1;
    for (const seen of this.seen) if (seen <= this.lastSequence) this.seen.delete(seen);
  }

  private info(subjects?: string): Promise<StreamInfo> {
    const options = subjects === undefined ? undefined : { subjects_filter: subjects };
    return this.link.call(`bucket ${this.stream}`, () => this.link.jsm.streams.info(this.stream, options));
  }

  /** Written since the list was made, or not there any more. */
  private async expired(key: string, revision: number): Promise<void> {
    const found = await this.newest(key);
    if (found !== undefined) this.take(key, found);
    else if (this.present.get(key) === revision) this.gone(key, revision);
  }

  private async look(key: string): Promise<void> {
    if (this.looking.has(key)) return void this.looking.set(key, true);
    do {
      this.looking.set(key, false);
      const before = this.present.get(key) ?? 0;
      for (const wait of LOOKS_MS) {
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        if (this.stopped) return;
        const found = await this.newest(key).catch(() => undefined);
        if (found === undefined || found.revision <= before) continue;
        this.take(key, found);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    } while (this.looking.get(key) === true && !this.stopped);
    this.looking.delete(key);
  }

  private take(key: string, { value, revision, deleted }: Found): void {
    const known = this.present.get(key);
    this.listed.add(key);
    if (revision > this.lastSequence) this.seen.add(revision);
    if (revision === this.lastSequence + 1) this.lookedAt(revision);
    if (this.stopped || (known !== undefined && revision <= known)) return;
    if (!deleted) {
      this.present.set(key, revision);
      this.tell({ key, value, revision });
    } else if (known !== undefined) this.gone(key, revision);
  }

  private gone(key: string, revision: number): void {
    if (this.present.delete(key)) this.tell({ key, value: undefined, revision });
  }

  private tell(change: KeyValueChange): void {
    if (!this.stopped) runCallback(() => this.handler(change));
  }
}
