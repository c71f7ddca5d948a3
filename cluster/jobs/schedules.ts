import type { Bus } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { decodeSchedule, encodeSchedule, type Schedule } from '../../src/jobs/schedules/schedule.ts';
import { SCHEDULES } from '../../src/protocol/names.ts';

const MAX_CAS_ATTEMPTS = 20;

/** The schedules of the cluster as bucket `schedules` holds them. */
export class ScheduleDirectory {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** By name. What cannot be read is left out: `millrace doctor` shows it. */
  async list(): Promise<Schedule[]> {
    const kv = this.#bus.kv(SCHEDULES);
    const found = await Promise.all((await kv.keys()).map((key) => kv.get(key)));
    const schedules = found.flatMap((entry) => {
      try {
        return entry ? [decodeSchedule(entry.value, entry.key)] : [];
      } catch {
        return [];
      }
    });
    return schedules.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** `not_found` when there is none, and the error of {@link decodeSchedule}. */
  async get(name: string): Promise<Schedule> {
    const entry = await this.#bus.kv(SCHEDULES).get(name);
    if (entry) return decodeSchedule(entry.value, name);
    throw missing(name);
  }

  /** `already_exists` when the name is taken. */
  async create(schedule: Schedule): Promise<void> {
    await this.#bus
      .kv(SCHEDULES)
      .create(schedule.name, encodeSchedule(schedule))
      .catch((thrown: unknown) => {
        if (MillraceError.from(thrown).code !== 'already_exists') throw thrown;
        throw new MillraceError('already_exists', `There is a schedule "${schedule.name}" already; delete it first.`, {
          field: 'name',
        });
      });
  }

  /** Compare-and-set: `change` gets the newest and returns the new one. */
  async update(name: string, change: (schedule: Schedule) => Schedule): Promise<Schedule> {
    const kv = this.#bus.kv(SCHEDULES);
    for (let attempt = 0; attempt < MAX_CAS_ATTEMPTS; attempt += 1) {
      const entry = await kv.get(name);
      if (!entry) throw missing(name);
      const before = decodeSchedule(entry.value, name);
      const next = change(before);
      if (next === before) return before;
      try {
        await kv.update(name, encodeSchedule(next), entry.revision);
        return next;
      } catch (error) {
        if (MillraceError.from(error).code !== 'aborted') throw error;
      }
    }
    throw new MillraceError('aborted', `Schedule "${name}" kept changing while it was being updated; try again.`);
  }

  async delete(name: string): Promise<void> {
    await this.get(name);
    await this.#bus.kv(SCHEDULES).delete(name);
  }

  /** Calls back for every change from now on, and for each schedule that there is. Returns a function that stops it. */
  watch(handler: (name: string, schedule: Schedule | undefined) => void): Promise<() => void> {
    return this.#bus.kv(SCHEDULES).watch('>', ({ key, value }) => {
      let schedule: Schedule | undefined;
      try {
        schedule = value && decodeSchedule(value, key);
      } catch {
        // Left alone until somebody mends or removes it.
      }
      handler(key, schedule);
    });
  }
}

function missing(name: string): MillraceError {
  return new MillraceError('not_found', `There is no schedule "${name}". \`millrace schedule list\` shows the schedules.`, {
    field: 'name',
  });
}
