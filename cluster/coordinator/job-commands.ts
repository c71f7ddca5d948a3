import type { JobBudgetConfig } from '../../src/config/budgets.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import { checkDecides } from '../../src/flow/decides.ts';
import { budgetOf } from '../../src/jobs/budgets/status.ts';
import { createJobRecord, transition, type JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { checkReward } from '../../src/reward/check.ts';
import type { CreateJobOptions } from '../admin/backend.ts';
import { bundledRewards } from '../jobs/bundles.ts';
import { unreadableJob, type UnreadableJob } from '../jobs/directory.ts';
import { JobEvents } from '../jobs/events.ts';
import { encodeQueries } from '../jobs/queries.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import type { LoadedTasks } from '../../src/tasks/load.ts';
import { checkFits, taskPlan } from '../jobs/tasks.ts';
import type { NodeContext } from '../runtime/context.ts';
import { evaluationJob } from './evaluation-job.ts';
import { forkJob } from './fork-job.ts';
import { storeInitialWeights } from './initial-weights.ts';
import type { BudgetBook } from './budget-book.ts';
import { checkResumable } from './resume.ts';
import { UploadedJobs } from './uploaded-job.ts';
import { reopenBudget } from './resume-budget.ts';

/** Creates and changes jobs as the admin API asks for it: each command is one write to the job's record, and an event. */
export class JobCommands {
  readonly #context: NodeContext;
  readonly #budgets: BudgetBook;
  readonly #uploaded: UploadedJobs;
  /** Tasks that were found good, by the runtime that they were loaded for: jobs of one configuration share both. */
  readonly #checked = new WeakMap<JobRuntime, LoadedTasks>();

  constructor(context: NodeContext, budgets: BudgetBook) {
    this.#context = context;
    this.#budgets = budgets;
    this.#uploaded = new UploadedJobs(context);
  }

  /** See `AdminBackend.createJob`. */
  async create(
    id: string,
    config: JobConfig,
    { from, fork, evaluates, owner, priority, request, bundle, agent, queries }: CreateJobOptions = {},
  ): Promise<JobRecord> {
    const { clock } = this.#context;
    const common = { id, config, owner, priority, request, agent };
    if (fork !== undefined) {
      const forked = await forkJob(this.#context, id, { config, fork });
      return this.#store(createJobRecord({ ...common, now: clock.now(), ...forked }), `job ${id} goes on from ${forked.from}`);
    }
    if (evaluates !== undefined) {
      const { evaluates: of, ...prepared } = await evaluationJob(this.#context, id, { config, evaluates });
      const record = createJobRecord({ ...common, now: clock.now(), ...prepared, evaluates: of });
      return this.#store(record, `job ${id} measures ${of!.job}@${of!.version}`);
    }
    const { code, initial } = await this.#prepare(id, config, { from, bundle, queries });
    const kept = queries && (await this.#context.artifacts.put(encodeQueries(queries))).digest;
    return this.#store(createJobRecord({ ...common, now: clock.now(), code, queries: kept, ...initial }), `job ${id} created`);
  }

  /** Loads flow and tasks of a new job and puts by what it needs of them. */
  async #prepare(
    id: string,
    config: JobConfig,
    { from, bundle, queries }: Pick<CreateJobOptions, 'from' | 'bundle' | 'queries'>,
  ) {
    const { bus, log } = this.#context;
    // Flow and tasks are loaded before anything is stored: an error in them is an answer to the caller.
    const { runtime, digest: code } = await (bundle === undefined
      ? this.#context.runtimes.bundle(config)
      : this.#uploaded.load({ config, digest: bundle, queries }));
    checkDecides(runtime.flow, runtime.kind);
    await this.#context.outside(checkReward(config.reward, runtime.flow, bundledRewards(config, runtime.bundle)));
    const tasks = await runtime.tasks((progress) => log.debug({ job: id, ...progress }, 'loading tasks of a new job'));
    if (this.#checked.get(runtime) !== tasks) {
      checkFits(tasks.tasks, bus.maxMessageBytes);
      await taskPlan(runtime, tasks);
      this.#checked.set(runtime, tasks);
    }
    if (from === undefined) return { code, initial: undefined };
    const { moment: _, ...initial } = await storeInitialWeights(this.#context, id, runtime, from);
    return { code, initial };
  }

  async #store(record: JobRecord, text: string): Promise<JobRecord> {
    const { clock, bus, jobs, id: node } = this.#context;
    const { id } = record;
    try {
      await jobs.create(record);
    } catch (error) {
      if (MillraceError.from(error).code !== 'already_exists') throw error;
      throw new MillraceError('already_exists', `There is a job "${id}" already; choose another id or leave it out.`, {
        field: 'job_id',
      });
    }
    await new JobEvents(bus, clock, node, id).publish('created', 1, text);
    return record;
  }

  async cancel(id: string): Promise<JobRecord> {
    const { clock } = this.#context;
    return this.#change(id, 'cancel', (record) => {
      // At once, whatever the job's actors do or wait for: the node that holds the job stops them and settles what is left.
      return isEnded(record.state) ? undefined : transition(record, 'CANCELLED', { now: clock.now() });
    });
  }

  async pause(id: string): Promise<JobRecord> {
    const { clock } = this.#context;
    return this.#change(id, 'paused', (record) =>
      record.state === 'PAUSED' ? undefined : transition(record, 'PAUSED', { now: clock.now() }),
    );
  }

  async resume(id: string): Promise<JobRecord> {
    const { clock } = this.#context;
    const mended = await checkResumable(this.#context, id);
    await reopenBudget(this.#context, this.#budgets, await this.record(id));
    return this.#change(id, 'resumed', (record) =>
      // It runs when it is its turn.
      record.state === 'RUNNING' || record.state === 'QUEUED'
        ? undefined
        : { ...transition(record, 'QUEUED', { now: clock.now() }), ...mended },
    );
  }

  async setPriority(id: string, priority: number): Promise<JobRecord> {
    return this.#change(id, 'priority-set', (record) =>
      isEnded(record.state) || record.priority === priority ? undefined : { ...record, priority },
    );
  }

  /** Changes what a job may spend; it holds from its next reservation on. */
  async updateBudget(id: string, change: (before: JobBudgetConfig) => JobBudgetConfig): Promise<JobRecord> {
    return this.#change(id, 'budget-changed', (record) => {
      if (!isEnded(record.state)) return { ...record, budget: change(budgetOf(record)) };
      throw new MillraceError('failed_precondition', `job ${id} is ${record.state}: it spends nothing any more`, {
        field: 'job_id',
      });
    });
  }

  /** The record of a job; `not_found` when there is none, and the error of a record that cannot be read. */
  async record(id: string): Promise<JobRecord> {
    const entry = this.#context.jobs.get(id) ?? (await this.#context.jobs.fetch(id));
    if (entry) return entry.record;
    const unreadable = this.unreadable(id);
    if (unreadable) throw unreadableJob(id, unreadable.problem);
    throw new MillraceError('not_found', `There is no job "${id}". \`millrace job list\` shows the jobs.`, { field: 'job_id' });
  }

  /** The job, if its record cannot be read. */
  unreadable(id: string): UnreadableJob | undefined {
    return this.#context.jobs.unreadable().find((job) => job.id === id);
  }

  async #change(id: string, kind: string, change: (record: JobRecord) => JobRecord | undefined): Promise<JobRecord> {
    await this.record(id);
    let changed = false;
    const { record, revision } = await this.#context.jobs.update(id, (before) => {
      const after = change(before);
      changed = after !== undefined;
      return after;
    });
    if (changed) {
      const events = new JobEvents(this.#context.bus, this.#context.clock, this.#context.id, id);
      await events.publish(kind, revision, `${kind} by the admin API`);
    }
    return record;
  }
}
