import { MillraceError } from '../../src/errors.ts';
import { bestCheckpoint } from '../../src/jobs/kept-checkpoints.ts';
import type { CheckpointRecord, JobRecord } from '../../src/jobs/record.ts';
import { eventSubject } from '../../src/protocol/subjects.ts';
import { boundedJson } from '../../src/records/bounded-json.ts';
import { encodeRows } from '../../src/records/encode.ts';
import { MAX_TEXT, type TrainingJobRow } from '../../src/records/tables.ts';
import type { NodeContext } from '../runtime/context.ts';

/** Between two attempts to write what could not be written. */
const RETRY_MS = 1_000;

/** What is written of a job. */
type JobState = Omit<TrainingJobRow, 'at'>;

/** What {@link keepJobRows} needs. */
type RowsContext = Pick<NodeContext, 'bus' | 'clock' | 'id' | 'jobs' | 'log'>;

/**
 * Writes jobs and their checkpoints into tables `training_jobs` and `policy_checkpoints` as their records change: all jobs once at the
 * start, since the changes of a coordinator that died may not have been written. The same rows may come any number of times, from any
 * number of coordinators. Returns what ends it once what has changed is written, or cannot be.
 */
export function keepJobRows(context: RowsContext): () => Promise<void> {
  const { clock, jobs, log } = context;
  const writer = new JobRowWriter(context);
  const changed = new Set(jobs.list().map(({ record }) => record.id));
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    for (const id of changed) {
      changed.delete(id);
      const record = jobs.get(id)?.record;
      try {
        if (record !== undefined) await writer.write(record);
      } catch (thrown) {
        changed.add(id);
        log.warn({ err: MillraceError.from(thrown), job: id }, 'the row of a job could not be written; it is tried again');
        return;
      }
    }
  };
  const soon = (): void => {
    writing ??= write().finally(() => (writing = undefined));
  };
  soon();
  const stopRetries = clock.every(RETRY_MS, () => {
    if (changed.size > 0) soon();
  });
  const stopChanges = jobs.onChange(({ record }) => {
    if (!writer.differs(record)) return;
    changed.add(record.id);
    soon();
  });
  return async () => {
    stopRetries();
    stopChanges();
    await writing;
  };
}

/** Remembers what it has written, so that the many changes of a record that no row shows cost nothing. */
class JobRowWriter {
  readonly #context: RowsContext;
  /** Of each job, what tells its row from others. */
  readonly #written = new Map<string, string>();
  #last = 0;

  constructor(context: RowsContext) {
    this.#context = context;
  }

  differs(record: JobRecord): boolean {
    return this.#written.get(record.id) !== shown(record);
  }

  async write(record: JobRecord): Promise<void> {
    const { bus, clock, id: node } = this.#context;
    const { id: job } = record;
    const now = shown(record);
    if (this.#written.get(job) === now) return;
    for (const checkpoint of record.checkpoints) await this.#writeCheckpoint(job, checkpoint);
    // The latest row holds, also where the clock has gone back.
    const at = (this.#last = Math.max(this.#last + 1, Math.round(clock.now() * 1000)));
    const row = { ...stateOf(record), at };
    await bus.publish(eventSubject(job, 'job-state'), encodeRows('training_jobs', [row]), {
      id: `${job}:job-state:${node}:${at}`,
    });
    this.#written.set(job, now);
  }

  async #writeCheckpoint(job: string, { version, digest, bytes, at }: CheckpointRecord): Promise<void> {
    const key = `${job}:checkpoint-written:${version}:${digest}`;
    if (this.#written.has(key)) return;
    const row = { job, version, digest, bytes, written_at: at * 1000 };
    const rows = encodeRows('policy_checkpoints', [row]);
    await this.#context.bus.publish(eventSubject(job, 'checkpoint-written'), rows, { id: `${key}:${at}` });
    this.#written.set(key, '');
  }
}

/** What changes in the row of a job. */
function shown(record: JobRecord): string {
  const { state, priority, startedAt, endedAt, error, checkpoints } = record;
  return JSON.stringify([state, priority, startedAt, endedAt, error, checkpoints, bestCheckpoint(record)?.version]);
}

function stateOf(record: JobRecord): JobState {
  const { id, owner, state, config, priority, createdAt, startedAt = 0, endedAt = 0, error = '', from = '', code = '' } = record;
  return {
    job: id,
    owner,
    state,
    flow: config.flow,
    method: config.algorithm.name,
    policy: config.policy.kind,
    seed: config.seed,
    rounds: config.rounds,
    priority,
    created_at: createdAt * 1000,
    started_at: startedAt * 1000,
    ended_at: endedAt * 1000,
    error,
    from_checkpoint: from,
    code,
    config: boundedJson(config, MAX_TEXT),
    checkpoints: record.checkpoints.map(({ version }) => version),
    best_checkpoint: bestCheckpoint(record)?.version ?? -1,
  };
}
