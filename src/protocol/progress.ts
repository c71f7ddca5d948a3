/** How far the store is behind. */
export interface StoreBacklog {
  /** Scored groups that wait to be written. */
  groups: number;
  /** At how many the job goes on. */
  low: number;
  /** What the writer tells, when it was heard of lately. */
  writer?: WriterReport;
}

/** What a writer tells about itself. */
export interface WriterReport {
  /** Rows written a second, lately. */
  rowsPerSecond: number;
  /** Rows of a message, on average; 0 before the first one. */
  rowsPerMessage: number;
  /** What it waits for, in words; empty when nothing is held. */
  waitingFor: string;
}

/** What holds a job's requests back while something that its flow calls does not answer. Times are Unix milliseconds. */
export interface HoldProgress {
  /** `tool 'search'`, `reward` or `load of flow 'parcels'`. */
  source: string;
  reason: string;
  since: number;
  /** When the next try is made. */
  until: number;
  /** Tries in a row that were refused. */
  attempts: number;
  now: number;
  /** Requests handed back until then, and calls that wait in workers. */
  held: number;
  waiting: number;
}

/** A disk without room. */
export interface FullDisk {
  readonly folder: string;
  readonly freeBytes: number;
  readonly neededBytes: number;
}

/** What a parameter server tells, at most once, about the round in progress; subject `progress.<job>`. */
export interface TrainingProgress {
  /** Newest committed version. */
  round: number;
  groups: { received: number; needed: number };
  shards?: { done: number; total: number };
  publishing?: boolean;
  learners: number;
  /** What goes wrong without stopping the training, in words: a checkpoint that could not be written. */
  problem?: string;
}

/** What a job's actor tells about what it waits for; subject `waiting.<job>`. */
export interface DispatchProgress {
  /** While the job's tasks are loaded: how far that is, in words. */
  loading?: string | undefined;
  /** The oldest evaluation under way. */
  evaluation?: { key: string; done: number; total: number } | undefined;
  /** Milliseconds since ROLLOUTS refused a request for space, while that lasts. */
  backpressureMs?: number | undefined;
  /** While the store is so far behind that no new requests are admitted. */
  store?: StoreBacklog | undefined;
  /** While something that the flow or its reward calls does not answer. */
  hold?: HoldProgress | undefined;
  /** While the disk has so little room that no new requests are admitted. */
  disk?: FullDisk | undefined;
}

export function encodeProgress(progress: TrainingProgress | DispatchProgress | WriterReport): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(progress));
}

/** Reads what {@link encodeProgress} wrote; the subject says what it is. */
export function decodeProgress<T extends TrainingProgress | DispatchProgress | WriterReport>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}
