import type { Bus } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { decodeServedTask, encodeServedTask, type ServedTaskRecord } from '../../src/jobs/experiments/served-task.ts';
import { SERVED } from '../../src/protocol/names.ts';

/** A live task as the bucket has it. */
export interface ServedEntry {
  task: ServedTaskRecord;
  revision: number;
}

/** The live tasks of the last days, as bucket `served` holds them. */
export class ServedTasks {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Undefined when there is none (any more), and the error of {@link decodeServedTask}. */
  async find(key: string): Promise<ServedEntry | undefined> {
    const entry = await this.#bus.kv(SERVED).get(key);
    return entry && { task: decodeServedTask(entry.value, key), revision: entry.revision };
  }

  /**
   * Writes a task in the place of what was found under its key.
   * @throws MillraceError `aborted` (retryable) when somebody else has written it meanwhile
   */
  async write(key: string, task: ServedTaskRecord, before: ServedEntry | undefined): Promise<ServedEntry> {
    const kv = this.#bus.kv(SERVED);
    const bytes = encodeServedTask(task);
    try {
      const revision = before === undefined ? await kv.create(key, bytes) : await kv.update(key, bytes, before.revision);
      return { task, revision };
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code !== 'already_exists' && error.code !== 'aborted') throw error;
      throw new MillraceError('aborted', 'Another call about the same task is being worked on; try again.', { cause: error });
    }
  }
}
