import { headers as newHeaders, nuid } from '@nats-io/nats-core';
import type { MsgHdrs } from '@nats-io/nats-core';
import type { StoredMsg } from '@nats-io/jetstream';
import { MillraceError } from '../../errors.ts';
import type { KeyValue, KeyValueEntry } from '../bus.ts';
import { checkSize, maxMessageBytes } from '../message-size.ts';
import { checkFilter, checkKey } from '../subject.ts';
import type { BucketSpec } from '../topology.ts';
import { KeyValueLookup } from './key-value-lookup.ts';
import { KeyValueWatch } from './key-value-watch.ts';
import type { Found, KeyValueChange } from './bucket-watch.ts';
import type { JetStreamConnection } from './connection.ts';
import { KV_OPERATION, isDeletion, plainBytes } from './messages.ts';
import { maxPayload } from './publisher.ts';
import { readStored } from './reader.ts';
import { bucketStream } from './stream-config.ts';

function foundOf(message: StoredMsg | null): Found | undefined {
  if (message === null) return undefined;
  return { value: plainBytes(message.data), revision: message.seq, deleted: isDeletion(message.header?.get(KV_OPERATION)) };
}

/** One bucket: the newest message of each subject `$KV.<bucket>.<key>`. Reads go to the leader, so they see every write before. */
export class NatsBucket implements KeyValue {
  readonly ttlMs: number;
  private readonly link: JetStreamConnection;
  private readonly stream: string;
  private readonly prefix: string;
  private readonly onWatch: (stop: () => void) => () => void;

  /** `onWatch` registers what ends a watch with its connection and returns what the caller may stop it with. */
  constructor(link: JetStreamConnection, spec: BucketSpec, onWatch: (stop: () => void) => () => void) {
    this.link = link;
    this.ttlMs = spec.ttlMs;
    this.stream = bucketStream(spec.name);
    this.prefix = `$KV.${spec.name}.`;
    this.onWatch = onWatch;
  }

  async get(key: string): Promise<KeyValueEntry | undefined> {
    const found = await this.newest(key);
    return found === undefined || found.deleted ? undefined : { key, value: found.value, revision: found.revision };
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return this.write(key, value);
  }

  async create(key: string, value: Uint8Array): Promise<number> {
    for (;;) {
      const found = await this.newest(key);
      if (found !== undefined && !found.deleted) {
        throw new MillraceError('already_exists', `key ${key} exists already`, { field: 'key' });
      }
      try {
        return await this.write(key, value, found?.revision ?? 0);
      } catch (thrown) {
        // Written or deleted between the look and the write: look again.
        if (!(thrown instanceof MillraceError && thrown.code === 'aborted')) throw thrown;
      }
    }
  }

  update(key: string, value: Uint8Array, revision: number): Promise<number> {
    return this.write(key, value, revision);
  }

  async delete(key: string, revision?: number): Promise<void> {
    const headers = newHeaders();
    headers.set(KV_OPERATION, 'DEL');
    await this.write(key, new Uint8Array(0), revision, headers);
  }

  async keys(filter = '>'): Promise<string[]> {
    checkFilter(filter);
    if (this.link.worker) return this.keysByInfo(filter);
    const keys: string[] = [];
    const newest = { filter: `${this.prefix}${filter}`, policy: 'last_per_subject', headersOnly: true } as const;
    for await (const message of readStored(this.link, this.stream, newest)) {
      if (!isDeletion(message.headers[KV_OPERATION])) keys.push(message.subject.slice(this.prefix.length));
    }
    return keys.sort();
  }

  async watch(filter: string, handler: (change: KeyValueChange) => void): Promise<() => void> {
    checkFilter(filter);
    const { stream, prefix, ttlMs } = this;
    const watched = { stream, prefix, filter, ttlMs, handler };
    const watch = this.link.worker
      ? new KeyValueLookup(this.link, {
          ...watched,
          newest: (key) => this.stored(key),
          after: (revision) => this.storedAfter(revision, filter),
        })
      : new KeyValueWatch(this.link, { ...watched, newest: (key) => this.newest(key) });
    const stop = this.onWatch(() => watch.stop());
    try {
      await watch.start();
    } catch (thrown) {
      stop();
      throw thrown;
    }
    return stop;
  }

  private async newest(key: string): Promise<Found | undefined> {
    checkKey(key);
    return foundOf(
      await this.link.call(`reading key ${key}`, () =>
        this.link.jsm.streams.getMessage(this.stream, { last_by_subj: `${this.prefix}${key}` }),
      ),
    );
  }

  /**
   * What one of the servers has, which may be behind a write. It costs the server and us half of what {@link newest} does: the answer is
   * the message itself, not JSON, and the server reports no use of its API.
   */
  private async stored(key: string): Promise<Found | undefined> {
    checkKey(key);
    return foundOf(
      await this.link.call(`reading key ${key}`, () =>
        this.link.jsm.direct.getMessage(this.stream, { last_by_subj: `${this.prefix}${key}` }),
      ),
    );
  }

  /** The first message about a key of the filter from a revision on, as one of the servers has it. */
  private async storedAfter(revision: number, filter: string): Promise<(Found & { key: string }) | undefined> {
    const message = await this.link.call(`reading from revision ${revision} of ${this.stream}`, () =>
      this.link.jsm.direct.getMessage(this.stream, { seq: revision, next_by_subj: `${this.prefix}${filter}` }),
    );
    const found = foundOf(message);
    return found && { ...found, key: message!.subject.slice(this.prefix.length) };
  }

  /** For workers, who make no consumer: the subjects of the stream, and a look whether each is a deletion. */
  private async keysByInfo(filter: string): Promise<string[]> {
    const { state } = await this.link.call(`keys of ${this.stream}`, () =>
      this.link.jsm.streams.info(this.stream, { subjects_filter: `${this.prefix}${filter}` }),
    );
    const keys = Object.keys(state.subjects ?? {}).map((subject) => subject.slice(this.prefix.length));
    const found = await Promise.all(keys.map(async (key) => ({ key, entry: await this.newest(key) })));
    return found.flatMap(({ key, entry }) => (entry === undefined || entry.deleted ? [] : [key])).sort();
  }

  private async write(key: string, value: Uint8Array, revision?: number, headers: MsgHdrs = newHeaders()): Promise<number> {
    checkKey(key);
    checkSize(`key ${key}`, value, {}, maxMessageBytes(maxPayload(this.link)));
    // The id makes a repeated try harmless: without it, one that went through unseen would look like someone else's write.
    const msgID = nuid.next();
    const ack = await this.link.call(`writing key ${key}`, () =>
      this.link.js.publish(`${this.prefix}${key}`, value, {
        msgID,
        headers,
        ...(revision === undefined ? {} : { expect: { lastSubjectSequence: revision } }),
      }),
    );
    return ack.seq;
  }
}
