import type { Bus } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { decodeJobRecord, encodeJobRecord, type JobRecord } from '../../src/jobs/record.ts';

/** A job's record with the revision it was read at. */
export interface JobEntry {
  record: JobRecord;
  revision: number;
}

/** The jobs of the cluster as kept in bucket `jobs`; every node watches them. */
export interface JobDirectory {
  get(id: string): JobEntry | undefined;
  list(): JobEntry[];
  /** The job as it is known here, else as the bus has it; undefined when there is none, also for what can be no id. */
  find(id: string): Promise<JobEntry | undefined>;
  /** Reads the newest record from the bus rather than from the watched copy. */
  fetch(id: string): Promise<JobEntry | undefined>;
  create(record: JobRecord): Promise<JobEntry>;
  /** Compare-and-set loop: `change` gets the newest record and returns the new one, or undefined to leave it. */
  update(id: string, change: (record: JobRecord) => JobRecord | undefined): Promise<JobEntry>;
  /** Called for every change from now on. Returns a function that stops it. */
  onChange(handler: (entry: JobEntry) => void): () => void;
  close(): void;
}

const MAX_CAS_ATTEMPTS = 20;

/** Opens the directory; resolves once the present jobs are known. */
export async function openJobDirectory(bus: Bus): Promise<JobDirectory> {
  const kv = bus.kv('jobs');
  const entries = new Map<string, JobEntry>();
  const handlers = new Set<(entry: JobEntry) => void>();

  const take = (entry: JobEntry): JobEntry => {
    const known = entries.get(entry.record.id);
    if (known && known.revision >= entry.revision) return known;
    entries.set(entry.record.id, entry);
    for (const handler of handlers) handler(entry);
    return entry;
  };

  const stopWatch = await kv.watch('>', ({ value, revision }) => {
    if (value) take({ record: decodeJobRecord(value), revision });
  });

  const fetch = async (id: string): Promise<JobEntry | undefined> => {
    const found = await kv.get(id);
    return found && take({ record: decodeJobRecord(found.value), revision: found.revision });
  };

  return {
    get: (id) => entries.get(id),
    list: () => [...entries.values()].sort((a, b) => b.record.createdAt - a.record.createdAt),
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
        const entry = { record: decodeJobRecord(found.value), revision: found.revision };
        const next = change(entry.record);
        if (!next) return take(entry);
        try {
          const revision = await kv.update(id, encodeJobRecord(next), entry.revision);
          return take({ record: next, revision });
        } catch (error) {
          if (MillraceError.from(error).code !== 'aborted') throw error;
        }
      }
      throw new MillraceError('aborted', `Job "${id}" kept changing while it was being updated; try again.`);
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
