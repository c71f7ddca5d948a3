import { MillraceError } from '../../src/errors.ts';
import { dueTick, ticked, type Schedule, type Tick } from '../../src/jobs/schedules/schedule.ts';
import { acquireLease, type Lease } from '../../src/protocol/lease.ts';
import type { RunQuery } from '../admin/backend.ts';
import { ScheduleDirectory } from '../jobs/schedules.ts';
import type { NodeContext } from '../runtime/context.ts';
import { BudgetBook } from './budget-book.ts';
import { JobCommands } from './job-commands.ts';

/** Counts rows that a schedule waits for. */
export type CountRows = (schedule: Schedule) => Promise<number>;

/** How often schedules are looked at. */
const LOOK_MS = 1_000;
/** How often the store is asked for a schedule that waits for rows. */
const COUNT_MS = 10_000;
/** How long the store may take to count. */
const COUNT_TIMEOUT_MS = 10_000;
const LEASE = 'schedules';

/**
 * Creates the jobs of schedules, on the one coordinator that holds the lease for it. The id of a job follows from its tick, so that a coordinator that
 * dies between creating the job and noting the tick makes the next one find the job there.
 *
 * @param countRows - default: schedules that wait for rows wait for ever
 * @returns what stops it
 */
export async function runSchedules(context: NodeContext, countRows?: CountRows): Promise<() => Promise<void>> {
  const runner = new ScheduleRunner(context, countRows);
  const stopWatch = await runner.directory.watch((name, schedule) => runner.changed(name, schedule));
  const stopLook = context.clock.every(LOOK_MS, () => runner.look());
  return async () => {
    stopLook();
    stopWatch();
    await runner.stop();
  };
}

class ScheduleRunner {
  readonly directory: ScheduleDirectory;
  readonly #context: NodeContext;
  readonly #budgets: BudgetBook;
  readonly #commands: JobCommands;
  readonly #countRows: CountRows | undefined;
  readonly #schedules = new Map<string, Schedule>();
  readonly #countedAt = new Map<string, number>();
  #lease: Lease | undefined;
  #stopped = false;

  constructor(context: NodeContext, countRows: CountRows | undefined) {
    this.#context = context;
    this.directory = new ScheduleDirectory(context.bus);
    this.#budgets = new BudgetBook(context);
    this.#commands = new JobCommands(context, this.#budgets);
    this.#countRows = countRows;
  }

  changed(name: string, schedule: Schedule | undefined): void {
    if (schedule === undefined) this.#schedules.delete(name);
    else this.#schedules.set(name, schedule);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#budgets.close();
    await this.#lease?.release();
  }

  async look(): Promise<void> {
    const { clock, log } = this.#context;
    try {
      // Where there are none, nobody needs the lease.
      if (this.#schedules.size === 0 || !(await this.#holdsLease())) return;
      for (const schedule of this.#schedules.values()) {
        if (schedule.paused || !this.#lease?.held) continue;
        const rows = await this.#rows(schedule);
        if (schedule.trigger.kind !== 'cron' && schedule.seenRows === undefined && rows !== undefined) {
          this.changed(schedule.name, await this.directory.update(schedule.name, (newest) => ({ ...newest, seenRows: rows })));
          continue;
        }
        const tick = dueTick(schedule, clock.now(), rows);
        if (tick) await this.#run(schedule, tick);
      }
    } catch (thrown) {
      log.warn({ err: MillraceError.from(thrown) }, 'schedules could not be looked at; tried again');
    }
  }

  async #holdsLease(): Promise<boolean> {
    if (this.#lease?.held === true) return true;
    this.#lease = await acquireLease(this.#context, LEASE, { owner: this.#context.id });
    if (this.#stopped) await this.#lease?.release();
    return this.#lease?.held === true;
  }

  /** Rows that there are, when it is time to count them; undefined where it is not, or they cannot be counted now. */
  async #rows(schedule: Schedule): Promise<number | undefined> {
    const { clock, log } = this.#context;
    if (schedule.trigger.kind === 'cron' || this.#countRows === undefined) return undefined;
    const now = clock.monotonic();
    if (now - (this.#countedAt.get(schedule.name) ?? -Infinity) < COUNT_MS) return undefined;
    this.#countedAt.set(schedule.name, now);
    return this.#countRows(schedule).catch((thrown: unknown) => {
      log.warn({ err: MillraceError.from(thrown), schedule: schedule.name }, 'the rows of a schedule could not be counted');
      return undefined;
    });
  }

  async #run(schedule: Schedule, tick: Tick): Promise<void> {
    const { clock, log } = this.#context;
    const { name, config, owner, priority } = schedule;
    let error: string | undefined;
    try {
      const from = await this.#previous(schedule);
      await this.#commands.create(tick.jobId, config, { owner, priority, from });
      log.info({ schedule: name, job: tick.jobId }, 'a schedule has created a job');
    } catch (thrown) {
      const failure = MillraceError.from(thrown);
      // This coordinator or the one before it has created it and could not note it.
      if (failure.code !== 'already_exists') {
        if (failure.retryable) throw failure;
        error = failure.message;
        log.error({ err: failure, schedule: name, job: tick.jobId }, 'a schedule could not create its job');
      }
    }
    const outcome = { now: clock.now(), ...(error !== undefined && { error }) };
    const next = await this.directory.update(name, (newest) =>
      // It was deleted and created again, or somebody else has noted the tick.
      newest.createdAt !== schedule.createdAt || newest.runs !== schedule.runs || newest.seenUntil >= tick.after.seenUntil
        ? newest
        : ticked(newest, tick, outcome),
    );
    this.changed(name, next);
  }

  /** The newest job of the schedule that has weights. */
  async #previous({ fromLatest, jobs }: Schedule): Promise<{ job: string; version: undefined } | undefined> {
    if (!fromLatest) return undefined;
    for (const job of [...jobs].reverse()) {
      const found = await this.#context.jobs.fetch(job);
      if (found !== undefined && found.record.checkpoints.length > 0) return { job, version: undefined };
    }
    return undefined;
  }
}

/** Counts in the store: interactions are the trajectories that no job has requested. Those of the schedule's own jobs do not count. */
export function countRowsIn(query: RunQuery, { clock }: Pick<NodeContext, 'clock'>): CountRows {
  return async ({ name, trigger }) => {
    const [late, answered] = [new AbortController(), new AbortController()];
    void clock.sleep(COUNT_TIMEOUT_MS, answered.signal).then(
      () => late.abort(new MillraceError('deadline_exceeded', `the store did not count within ${COUNT_TIMEOUT_MS} ms`)),
      () => undefined,
    );
    // Names of schedules hold no quotes.
    const others = `NOT startsWith(job, '${name}-')`;
    const which = trigger.kind === 'interactions' ? `request_id = '' AND ${others}` : others;
    try {
      const { rows } = await query(`SELECT uniqExact(trajectory_id) FROM trajectories WHERE ${which}`, 1, late.signal);
      return Number(rows[0]?.[0] ?? 0);
    } finally {
      answered.abort();
    }
  };
}
