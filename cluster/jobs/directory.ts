import { JOBS } from '../../src/protocol/names.ts';
import type { Bus, KeyValueEntry } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { decodeJobRecord, encodeJobRecord } from '../../src/jobs/record-codec.ts';
import type { JobRecord } from '../../src/jobs/record.ts';

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

/** The jobs of the cluster as kept in bucket `jobs`; every node watches them. */
export interface JobDirectory {
  get(id: string): JobEntry | undefined;
  list(): JobEntry[];
  /** What lies in the bucket and cannot be read. */
  unreadable(): UnreadableJob[];
  /** The job as it is known here, else as the bus has it; undefined when there is none that can be read, also for what can be no id. */
  find(id: string): Promise<JobEntry | undefined>;
  /** Reads the newest record from the bus rather than from the watched copy; undefined when there is none that can be read. */
  fetch(id: string): Promise<JobEntry | undefined>;
  create(record: JobRecord): Promise<JobEntry>;
  /**
   * Compare-and-set loop: `change` gets the newest record and returns the new one, or undefined to leave it. `not_found` without a
   * record, and the error of {@link decodeJobRecord} when it cannot be read: then nothing is written.
   */
  update(id: string, change: (record: JobRecord) => JobRecord | undefined): Promise<JobEntry>;
  /** Writes the records that are known here and not in the bucket, which was deleted and made again. */
  restore(): Promise<void>;
  /** Called for every change from now on. Returns a function that stops it. */
  onChange(handler: (entry: JobEntry) => void): () => void;
  close(): void;
}

const MAX_CAS_ATTEMPTS = 20;

/** Opens the directory; resolves once the present jobs are known. `onUnreadable` hears of each record that cannot be read. */
export async function openJobDirectory(bus: Bus, onUnreadable: (job: UnreadableJob) => void = () => {}): Promise<JobDirectory> {
  const kv = bus.kv(JOBS);
  const entries = new Map<string, JobEntry>();
  const unreadable = new Map<string, UnreadableJob>();
  const handlers = new Set<(entry: JobEntry) => void>();

  const isOld = (id: string, revision: number): boolean =>
    Math.max(entries.get(id)?.revision ?? 0, unreadable.get(id)?.revision ?? 0) >= revision;

  const take = (entry: JobEntry): JobEntry => {
    const { id } = entry.record;
    if (isOld(id, entry.revision)) return entries.get(id) ?? entry;
    unreadable.delete(id);
    entries.set(id, entry);
    for (const handler of handlers) handler(entry);
    return entry;
  };

  /** Reads a value; one that cannot be read is noted and is no job any more. */
  const read = ({ key, value, revision }: KeyValueEntry): JobEntry | MillraceError => {
    try {
      return { record: decodeJobRecord(value, key), revision };
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (!isOld(key, revision)) {
        const noted = { id: key, revision, problem: error.message };
        entries.delete(key);
        unreadable.set(key, noted);
        onUnreadable(noted);
      }
      return error;
    }
  };

  const stopWatch = await kv.watch('>', ({ key, value, revision }) => {
    if (value === undefined) {
      const known = entries.get(key);
      // Deletion is a change of the key. Without one the bucket is another, in which a coordinator restores the records.
      if (known && revision <= known.revision) entries.set(key, { ...known, revision: 0 });
      else entries.delete(key);
      unreadable.delete(key);
      return;
    }
    const entry = read({ key, value, revision });
    if (!(entry instanceof MillraceError)) take(entry);
  });

  const fetch = async (id: string): Promise<JobEntry | undefined> => {
    const found = await kv.get(id);
    const entry = found && read(found);
    return entry === undefined || entry instanceof MillraceError ? undefined : take(entry);
  };

  return {
    get: (id) => entries.get(id),
    list: () => [...entries.values()].sort((a, b) => b.record.createdAt - a.record.createdAt),
    unreadable: () => [...unreadable.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    find: async (id) => entries.get(id) ?? (/^[\w-]+$/.test(id) ? await fetch(id) : undefined),
    fetch,
    async create(record) {
      const revision = await kv.create(record.id, encodeJobRecord(record));
      return take({ record, revision });
    },
    async update(id, change) {
      for (let attempt = 0; attempt < MAX_CAS_ATTEMPTS; attempt += 1) {
        const found = await kv.get(id);
        if (!found) throw new MillraceError('not_found', `There is no job "${id}". \`millrace job list\` shows the jobs.`);
        const entry = read(found);
        if (entry instanceof MillraceError) throw unreadableJob(id, entry.message, entry);
        const next = change(entry.record);
        if (!next) return take(entry);
        try {
          const revision = await kv.update(id, encodeJobRecord(next, found.value), entry.revision);
          return take({ record: next, revision });
        } catch (error) {
          if (MillraceError.from(error).code !== 'aborted') throw error;
        }
      }
      throw new MillraceError('aborted', `Job "${id}" kept changing while it was being updated; try again.`);
    },
    async restore() {
      for (const { record } of entries.values()) {
        await kv.create(record.id, encodeJobRecord(record)).catch((thrown: unknown) => {
          if (MillraceError.from(thrown).code !== 'already_exists') throw thrown;
        });
      }
    },
    onChange(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    close() {
      handlers.clear();
      stopWatch();
    },
  };
}

/** What a call about a job with an unreadable record is answered with. */
export function unreadableJob(id: string, problem: string, cause?: MillraceError): MillraceError {
  const code = cause?.code === 'failed_precondition' ? 'failed_precondition' : 'data_loss';
  return new MillraceError(code, `The record of job "${id}" cannot be read: ${problem}. \`millrace doctor\` says what to do.`, {
    cause,
    field: 'job_id',
  });
}
