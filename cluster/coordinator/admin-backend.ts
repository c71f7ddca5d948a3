import type { AdminBackend, RunQuery } from '../admin/backend.ts';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { JobConfig } from '../../src/config/job.ts';
import { checkDecides } from '../../src/flow/decides.ts';
import { MillraceError } from '../../src/errors.ts';
import {
  ActorSchema,
  NodeSchema,
  type Actor,
  type ExportTrajectoriesRequest,
  type Job,
  type Node,
  type PruneStoreRequest,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import { endedCount } from '../../src/jobs/ledger.ts';
import { createJobRecord, transition, type JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { checkReward } from '../../src/reward/check.ts';
import type { Imported } from '../../src/store/export/import.ts';
import type { QueryResult } from '../../src/store/store.ts';
import { deadLetterQueue, type DeadLetterQueue } from '../admin/dead-letters.ts';
import { diagnosis, type Diagnosis } from '../admin/diagnosis.ts';
import type { ExportMessage, ImportMessage, TrajectoryTransfer } from '../admin/export.ts';
import type { PruneMessage, StatsMessage, StoreCare } from '../admin/store-care.ts';
import type { NodeContext } from '../runtime/context.ts';
import { unreadableJob, type UnreadableJob } from '../jobs/directory.ts';
import { JobEvents } from '../jobs/events.ts';
import { bundledRewards } from '../jobs/bundles.ts';
import { bundleJob } from '../jobs/runtime.ts';
import { checkFits, taskPlan } from '../jobs/tasks.ts';
import type { WeightSource } from '../jobs/weight-source.ts';
import type { NodeInfo, NodeList } from '../runtime/nodes.ts';
import { keepInitialWeights } from './initial-weights.ts';
import { JobViews } from './job-view.ts';
import { checkResumable } from './resume.ts';

/** A watcher hears of a running job at least this often: what it waits for changes without any event. */
const WATCH_REFRESH_MS = 1_000;
/** And at most this often: a trainer tells of every group and every shard, dozens of times a second. */
const WATCH_PAUSE_MS = 100;
/** How long the end of a watch waits for requests that were open when the job ended to be booked. */
const LAST_BOOKS_MS = 5_000;

/** What the admin API does, over the ports of a coordinator node. */
export class CoordinatorBackend implements AdminBackend {
  readonly #context: NodeContext;
  readonly #nodes: NodeList;
  readonly #query: RunQuery;
  readonly #transfer: TrajectoryTransfer | undefined;
  readonly #care: StoreCare | undefined;
  readonly #views: JobViews;
  readonly deadLetters: DeadLetterQueue;
  readonly diagnosis: Diagnosis;

  /** Without `transfer` and `care` there is no store node to ask. */
  constructor(context: NodeContext, nodes: NodeList, query: RunQuery, transfer?: TrajectoryTransfer, care?: StoreCare) {
    this.#context = context;
    this.#nodes = nodes;
    this.#query = query;
    this.#transfer = transfer;
    this.#care = care;
    this.#views = new JobViews(context, nodes);
    this.deadLetters = deadLetterQueue(context.bus);
    this.diagnosis = diagnosis(context.bus, context.weights);
  }

  close(): void {
    this.#views.close();
  }

  async createJob(id: string, config: JobConfig, from?: WeightSource): Promise<Job> {
    // Load flow and tasks before anything is stored: what is wrong with them is the caller's to hear.
    const { bundles } = this.#context;
    const { runtime, digest: code } = await bundleJob(config, (work) => this.#context.outside(work), bundles);
    checkDecides(runtime.flow, runtime.kind);
    await this.#context.outside(checkReward(config.reward, runtime.flow, bundledRewards(config, runtime.bundle)));
    const { clock, bus, jobs, log } = this.#context;
    const tasks = await runtime.tasks((progress) => log.debug({ job: id, ...progress }, 'loading tasks of a new job'));
    checkFits(tasks.tasks, bus.maxMessageBytes);
    await taskPlan(runtime, tasks);
    const initial = from && (await keepInitialWeights(this.#context, id, runtime, from));
    const record = createJobRecord({ id, config, now: clock.now(), code, ...initial });
    try {
      await jobs.create(record);
    } catch (error) {
      if (MillraceError.from(error).code !== 'already_exists') throw error;
      throw new MillraceError('already_exists', `There is a job "${id}" already; choose another id or leave it out.`, {
        field: 'job_id',
      });
    }
    await new JobEvents(bus, clock, this.#context.id, id).note('created', 1, `job ${id} created`);
    return this.#views.view(record);
  }

  async getJob(id: string): Promise<Job> {
    const unreadable = this.#unreadable(id);
    return unreadable ? this.#views.unreadable(unreadable) : this.#views.view((await this.#record(id)).record);
  }

  async listJobs(): Promise<Job[]> {
    const { jobs } = this.#context;
    const readable = await Promise.all(jobs.list().map(({ record }) => this.#views.view(record)));
    return [...readable, ...jobs.unreadable().map((job) => this.#views.unreadable(job))];
  }

  #unreadable(id: string): UnreadableJob | undefined {
    return this.#context.jobs.unreadable().find((job) => job.id === id);
  }

  async *watchJob(id: string, signal: AbortSignal): AsyncIterable<Job> {
    await this.getJob(id);
    let wake = (): void => {};
    const stop = this.#views.onChange((job) => {
      if (job === id) wake();
    });
    try {
      while (!signal.aborted) {
        const changed = new Promise<void>((resolve) => (wake = resolve));
        const entry = this.#context.jobs.get(id);
        if (!entry) {
          // Its record was removed, or something else lies in its place now.
          yield await this.getJob(id);
          return;
        }
        const { record } = entry;
        if (isEnded(record.state)) {
          yield await this.#finalView(record);
          return;
        }
        yield await this.#views.view(record);
        await this.#context.clock.sleep(WATCH_PAUSE_MS, signal).catch(() => {});
        const sleeping = new AbortController();
        const abort = (): void => sleeping.abort();
        signal.addEventListener('abort', abort, { once: true });
        await Promise.race([changed, this.#context.clock.sleep(WATCH_REFRESH_MS, sleeping.signal).catch(() => {})]);
        sleeping.abort();
        signal.removeEventListener('abort', abort);
      }
    } finally {
      stop();
    }
  }

  async cancelJob(id: string): Promise<Job> {
    const { clock } = this.#context;
    return this.#change(id, 'cancel', (record) => {
      // At once, whatever the job's actors do or wait for: who holds the job hears that it has ended, stops them and settles what is left.
      return isEnded(record.state) ? undefined : transition(record, 'CANCELLED', { now: clock.now() });
    });
  }

  async pauseJob(id: string): Promise<Job> {
    const { clock } = this.#context;
    return this.#change(id, 'paused', (record) =>
      record.state === 'PAUSED' ? undefined : transition(record, 'PAUSED', { now: clock.now() }),
    );
  }

  async resumeJob(id: string): Promise<Job> {
    const { clock } = this.#context;
    const mended = await checkResumable(this.#context, id);
    return this.#change(id, 'resumed', (record) =>
      // A queued job is not waiting for anybody's word: it runs when it is its turn.
      record.state === 'RUNNING' || record.state === 'QUEUED'
        ? undefined
        : { ...transition(record, 'RUNNING', { now: clock.now() }), ...mended },
    );
  }

  listNodes(): Promise<Node[]> {
    return Promise.resolve(this.#nodes.list().map(toNode));
  }

  listActors(nodeId: string | undefined): Promise<Actor[]> {
    const nodes = this.#nodes.list().filter((node) => nodeId === undefined || node.id === nodeId);
    if (nodeId !== undefined && nodes.length === 0) {
      throw new MillraceError('not_found', `There is no node "${nodeId}". \`millrace node list\` shows the nodes.`, {
        field: 'node_id',
      });
    }
    return Promise.resolve(
      nodes.flatMap((node) => node.actors.map((actor) => create(ActorSchema, { ...actor, messages: BigInt(actor.messages) }))),
    );
  }

  query(sql: string, maxRows: number, signal: AbortSignal): Promise<QueryResult> {
    return this.#query(sql, maxRows, signal);
  }

  exportTrajectories(request: ExportTrajectoriesRequest, signal: AbortSignal): AsyncIterable<ExportMessage> {
    return this.#store().exportTrajectories(request, signal);
  }

  importTrajectories(request: ImportMessage, signal: AbortSignal): Promise<Imported> {
    return this.#store().importTrajectories(request, signal);
  }

  #store(): TrajectoryTransfer {
    if (this.#transfer) return this.#transfer;
    throw new MillraceError('unimplemented', 'serial mode has no store to export from; read the rows of the in-memory store');
  }

  async getStoreStats(): Promise<StatsMessage> {
    return this.#storeCare().getStoreStats();
  }

  async pruneStore(request: PruneStoreRequest): Promise<PruneMessage> {
    const open = this.#context.jobs.list().filter(({ record }) => !isEnded(record.state));
    return this.#storeCare().pruneStore(
      request,
      open.map(({ record }) => record.id),
    );
  }

  #storeCare(): StoreCare {
    if (this.#care) return this.#care;
    throw new MillraceError('unavailable', 'This cluster has no store node.');
  }

  /** The last word about a job: its trainer books what was still open, which takes a moment. */
  async #finalView(record: JobRecord): Promise<Job> {
    const { clock } = this.#context;
    const deadline = clock.monotonic() + LAST_BOOKS_MS;
    for (;;) {
      const job = await this.#views.view(record);
      const { ledger, requests = 0n } = job.progress ?? {};
      if (!ledger || BigInt(endedCount(ledger)) >= requests || clock.monotonic() >= deadline) return job;
      await clock.sleep(LAST_BOOKS_MS / 50);
    }
  }

  async #record(id: string): Promise<{ record: JobRecord }> {
    const entry = this.#context.jobs.get(id) ?? (await this.#context.jobs.fetch(id));
    if (entry) return entry;
    const unreadable = this.#unreadable(id);
    if (unreadable) throw unreadableJob(id, unreadable.problem);
    throw new MillraceError('not_found', `There is no job "${id}". \`millrace job list\` shows the jobs.`, { field: 'job_id' });
  }

  async #change(id: string, kind: string, change: (record: JobRecord) => JobRecord | undefined): Promise<Job> {
    await this.#record(id);
    let changed = false;
    const { record, revision } = await this.#context.jobs.update(id, (before) => {
      const after = change(before);
      changed = after !== undefined;
      return after;
    });
    if (changed) {
      const events = new JobEvents(this.#context.bus, this.#context.clock, this.#context.id, id);
      await events.note(kind, revision, `${kind} by the admin API`);
    }
    return this.#views.view(record);
  }
}

function toNode(info: NodeInfo): Node {
  return create(NodeSchema, {
    id: info.id,
    roles: info.roles,
    pid: info.pid,
    address: info.address,
    startTime: timestampFromMs(info.startedAt),
    heartbeatTime: timestampFromMs(info.heartbeatAt),
    rssBytes: BigInt(info.rssBytes),
    peakRssBytes: BigInt(info.peakRssBytes),
    cpuSeconds: info.cpuSeconds,
    eventLoopDelayMs: info.eventLoopDelayMs,
    labels: info.labels,
  });
}
