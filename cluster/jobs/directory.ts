import { JOBS } from '../../src/protocol/names.ts';
import type { Bus, KeyValue } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { encodeJobRecord } from '../../src/jobs/record-codec.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { JobCache, type JobEntry, type UnreadableJob } from './job-cache.ts';

export type { JobEntry, UnreadableJob } from './job-cache.ts';

/** The jobs of the cluster as kept in bucket `jobs`; every node watches them. */
export interface JobDirectory {
  get(id: string): JobEntry | undefined;
  /** The job that the request of this id created, as far as it is known here. */
  byRequest(request: string): JobEntry | undefined;
  list(): JobEntry[];
  /** Those that have not ended, or whose end leaves something to be done; the oldest first. */
  active(): JobEntry[];
  /** Records of the jobs that run. */
  running(): JobRecord[];
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

/** Opens the directory; resolves once the present jobs are known. `onUnreadable` is called with each record that cannot be read. */
export async function openJobDirectory(bus: Bus, onUnreadable: (job: UnreadableJob) => void = () => {}): Promise<JobDirectory> {
  const directory = new BusJobDirectory(bus.kv(JOBS), onUnreadable);
  await directory.open();
  return directory;
}

class BusJobDirectory implements JobDirectory {
  readonly #kv: KeyValue;
  readonly #known: JobCache;
  #stopWatch = (): void => {};

  constructor(kv: KeyValue, onUnreadable: (job: UnreadableJob) => void) {
    this.#kv = kv;
    this.#known = new JobCache(onUnreadable);
  }

  async open(): Promise<void> {
    this.#stopWatch = await this.#kv.watch('>', ({ key, value, revision }) => {
      if (value === undefined) return this.#known.deleted(key, revision);
      const entry = this.#known.read({ key, value, revision });
      if (!(entry instanceof MillraceError)) this.#known.put(entry);
    });
  }

  get(id: string): JobEntry | undefined {
    return this.#known.get(id);
  }

  byRequest(request: string): JobEntry | undefined {
    return this.#known.byRequest(request);
  }

  list(): JobEntry[] {
    return this.#known.list();
  }

  active(): JobEntry[] {
    return this.#known.active();
  }

  running(): JobRecord[] {
    return this.#known.running();
  }

  unreadable(): UnreadableJob[] {
    return this.#known.unreadable();
  }

  async find(id: string): Promise<JobEntry | undefined> {
    return this.get(id) ?? (/^[\w-]+$/.test(id) ? await this.fetch(id) : undefined);
  }

  async fetch(id: string): Promise<JobEntry | undefined> {
    const found = await this.#kv.get(id);
    const entry = found && this.#known.read(found);
    return entry === undefined || entry instanceof MillraceError ? undefined : this.#known.put(entry);
  }

  async create(record: JobRecord): Promise<JobEntry> {
    const revision = await this.#kv.create(record.id, encodeJobRecord(record));
    return this.#known.put({ record, revision });
  }

  async update(id: string, change: (record: JobRecord) => JobRecord | undefined): Promise<JobEntry> {
    for (let attempt = 0; attempt < MAX_CAS_ATTEMPTS; attempt += 1) {
      const found = await this.#kv.get(id);
      if (!found) throw new MillraceError('not_found', `There is no job "${id}". \`millrace job list\` shows the jobs.`);
      const entry = this.#known.read(found);
      if (entry instanceof MillraceError) throw unreadableJob(id, entry.message, entry);
      const next = change(entry.record);
      if (!next) return this.#known.put(entry);
      try {
        const revision = await this.#kv.update(id, encodeJobRecord(next, found.value), entry.revision);
        return this.#known.put({ record: next, revision });
      } catch (error) {
        if (MillraceError.from(error).code !== 'aborted') throw error;
      }
    }
    throw new MillraceError('aborted', `Job "${id}" kept changing while it was being updated; try again.`);
  }

  async restore(): Promise<void> {
    for (const { record } of this.#known.entries()) {
      await this.#kv.create(record.id, encodeJobRecord(record)).catch((thrown: unknown) => {
        if (MillraceError.from(thrown).code !== 'already_exists') throw thrown;
      });
    }
  }

  onChange(handler: (entry: JobEntry) => void): () => void {
    return this.#known.onChange(handler);
  }

  close(): void {
    this.#known.close();
    this.#stopWatch();
  }
}

/** What a call about a job with an unreadable record is answered with. */
export function unreadableJob(id: string, problem: string, cause?: MillraceError): MillraceError {
  const code = cause?.code === 'failed_precondition' ? 'failed_precondition' : 'data_loss';
  return new MillraceError(code, `The record of job "${id}" cannot be read: ${problem}. \`millrace doctor\` says what to do.`, {
    cause,
    field: 'job_id',
  });
}
