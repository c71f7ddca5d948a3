import type { KeyValueEntry } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { decodeJobRecord } from '../../src/jobs/record-codec.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';

/** A job's record with the revision it was read at. */
export interface JobEntry {
  record: JobRecord;
  revision: number;
}

/** A value of bucket `jobs` that is no record this version can read: left alone until somebody removes or mends it. */
export interface UnreadableJob {
  /** The key it lies under, which should be a job's id. */
  id: string;
  revision: number;
  /** Why, in words. */
  problem: string;
}

/** What one process knows of bucket `jobs`: the newest revision it has read of each record. */
export class JobCache {
  readonly #entries = new Map<string, JobEntry>();
  /** Those that have not ended, or leave something to be done. */
  readonly #active = new Set<string>();
  readonly #running = new Set<string>();
  /** Ids of jobs by the id of the request that created them. */
  readonly #byRequest = new Map<string, string>();
  readonly #unreadable = new Map<string, UnreadableJob>();
  readonly #handlers = new Set<(entry: JobEntry) => void>();
  readonly #onUnreadable: (job: UnreadableJob) => void;

  constructor(onUnreadable: (job: UnreadableJob) => void) {
    this.#onUnreadable = onUnreadable;
  }

  get(id: string): JobEntry | undefined {
    return this.#entries.get(id);
  }

  /** The job that the request of this id created. */
  byRequest(request: string): JobEntry | undefined {
    const id = this.#byRequest.get(request);
    return id === undefined ? undefined : this.#entries.get(id);
  }

  /** In the order in which they became known. */
  entries(): Iterable<JobEntry> {
    return this.#entries.values();
  }

  /** The newest first. */
  list(): JobEntry[] {
    return [...this.#entries.values()].sort((a, b) => b.record.createdAt - a.record.createdAt);
  }

  /** Jobs that have not ended, or leave something to be done, the oldest first. */
  active(): JobEntry[] {
    return [...this.#active].map((id) => this.#entries.get(id)!).sort((a, b) => byAge(a.record, b.record));
  }

  /** Jobs that run, in the order in which they became known to. */
  running(): JobRecord[] {
    return [...this.#running].map((id) => this.#entries.get(id)!.record);
  }

  /** By id. */
  unreadable(): UnreadableJob[] {
    return [...this.#unreadable.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  onChange(handler: (entry: JobEntry) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Keeps an entry unless it is older than what is known. Returns the newest. */
  put(entry: JobEntry): JobEntry {
    const { id } = entry.record;
    if (this.#isOld(id, entry.revision)) return this.#entries.get(id) ?? entry;
    this.#unreadable.delete(id);
    this.#entries.set(id, entry);
    if (entry.record.request !== undefined) this.#byRequest.set(entry.record.request.id, id);
    if (isEnded(entry.record.state) && entry.record.unsettled.length === 0) this.#active.delete(id);
    else this.#active.add(id);
    if (entry.record.state === 'RUNNING') this.#running.add(id);
    else this.#running.delete(id);
    for (const handler of this.#handlers) handler(entry);
    return entry;
  }

  /** Reads a value; one that cannot be read is noted and is no job any more. */
  read({ key, value, revision }: KeyValueEntry): JobEntry | MillraceError {
    try {
      return { record: decodeJobRecord(value, key), revision };
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (!this.#isOld(key, revision)) {
        const noted = { id: key, revision, problem: error.message };
        this.#gone(key);
        this.#unreadable.set(key, noted);
        this.#onUnreadable(noted);
      }
      return error;
    }
  }

  /** A key is gone. */
  deleted(key: string, revision: number): void {
    const known = this.#entries.get(key);
    // Deletion is a change of the key. Without one the bucket is another, in which a coordinator restores the records.
    if (known && revision <= known.revision) this.#entries.set(key, { ...known, revision: 0 });
    else this.#gone(key);
    this.#unreadable.delete(key);
  }

  /** Calls no handler any more. */
  close(): void {
    this.#handlers.clear();
  }

  #gone(id: string): void {
    const request = this.#entries.get(id)?.record.request;
    if (request !== undefined) this.#byRequest.delete(request.id);
    this.#entries.delete(id);
    this.#active.delete(id);
    this.#running.delete(id);
  }

  #isOld(id: string, revision: number): boolean {
    return Math.max(this.#entries.get(id)?.revision ?? 0, this.#unreadable.get(id)?.revision ?? 0) >= revision;
  }
}

function byAge(a: JobRecord, b: JobRecord): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}
