import { clone, create } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { MemoryArtifacts } from '../../src/artifacts/memory-artifacts.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { memoryBus } from '../../src/protocol/memory.ts';
import { BusWeightChannel } from '../../src/weights/bus-weight-channel.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import type { JobBudgetConfig } from '../../src/config/budgets.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import { JobSchema, JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import type {
  Actor,
  Checkpoint,
  ExportTrajectoriesRequest,
  Job,
  Node,
  PruneStoreRequest,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import { MemoryLedger } from '../../src/jobs/budgets/memory-ledger.ts';
import { DEFAULT_OWNER } from '../../src/config/owner.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import type { QueryResult } from '../../src/store/store.ts';
import type { Imported } from '../../src/store/export/import.ts';
import { isEndState, type AdminBackend, type CreateJobOptions, type JobsChange, type JobsWatch } from './backend.ts';
import { credentialDesk } from '../access/credential-desk.ts';
import { joinDesk } from '../join/join-desk.ts';
import { agentDirectory } from '../jobs/agents.ts';
import { artifactUploads } from './artifact-uploads.ts';
import { BudgetDesk } from './budgets.ts';
import { deadLetterQueue } from './dead-letters.ts';
import type { ExportMessage, ImportMessage, TrajectoryTransfer } from './export.ts';
import { schedulesApi } from './schedules.ts';
import { diagnosis } from './diagnosis.ts';
import { memoryServing } from './serving/memory-serving.ts';
import type { JobListing } from './job-listing.ts';
import type { PruneMessage, StatsMessage } from './store-care.ts';

/** An {@link AdminBackend} without a cluster, for tests: jobs change only when {@link MemoryBackend.change} is called. */
export class MemoryBackend implements AdminBackend {
  readonly jobs = new Map<string, Job>();
  readonly requests = new Map<string, { job: string; digest: string }>();
  readonly nodes: Node[] = [];
  readonly actors: Actor[] = [];
  readonly created: CreateJobOptions[] = [];
  readonly queries: { sql: string; maxRows: number }[] = [];
  readonly prunes: PruneStoreRequest[] = [];
  stats: StatsMessage = {};
  pruned: PruneMessage = {};
  result: QueryResult = { columns: [], rows: [], truncated: false };
  /** Who exports and imports. */
  transfer: TrajectoryTransfer | undefined;
  /** Whose dead letters there are. */
  readonly bus = memoryBus({ clock: new VirtualClock() });
  readonly budgets = new BudgetDesk(new MemoryLedger(), () => Date.UTC(2026, 10, 30));
  readonly jobBudgets = new Map<string, JobBudgetConfig>();
  readonly updateJobBudget: AdminBackend['updateJobBudget'] = (id, change) =>
    this.getJob(id).finally(() => this.jobBudgets.set(id, change(this.jobBudgets.get(id) ?? {})));
  readonly deadLetters = deadLetterQueue(this.bus);
  readonly artifacts = new MemoryArtifacts(new VirtualClock());
  uploads = artifactUploads(this.artifacts);
  readonly bundledFlow: AdminBackend['bundledFlow'] = () => Promise.resolve({ flow: 'flow', takesQueries: true });
  readonly schedules = schedulesApi(this.bus, new VirtualClock());
  readonly joins = joinDesk({ bus: this.bus, clock: new VirtualClock() }, undefined);
  readonly credentials = credentialDesk({ bus: this.bus, clock: new VirtualClock() });
  readonly diagnosis = diagnosis(this.bus, weightsOn(this.bus));
  readonly agents = agentDirectory({ bus: this.bus, clock: new VirtualClock() });
  readonly serving = memoryServing(this.bus, this.agents);
  /** Watches that are open. */
  watchers = 0;
  #listeners = new Set<(id: string) => void>();
  #created = 0;
  #revision = 0;
  readonly #revisions = new Map<string, number>();
  /** What jobs were to go on with. */
  readonly forks: CreateJobOptions['fork'][] = [];

  createJob(id: string, config: JobConfig, options: CreateJobOptions = {}): Promise<Job> {
    const { owner = DEFAULT_OWNER, priority = 0, agent = '', request, fork, evaluates: of } = options;
    const evaluates = of === undefined ? '' : `${of.job}@${of.version ?? 0}`;
    if (fork !== undefined) this.forks.push(fork);
    if (this.jobs.has(id))
      return Promise.reject(new MillraceError('already_exists', `There is a job ${id} already.`, { field: 'job_id' }));
    this.#created += 1;
    this.created.push(options);
    const createTime = timestampFromMs(1_700_000_000_000 + this.#created);
    const configJson = JSON.stringify(config);
    const job = create(JobSchema, { id, state: JobState.QUEUED, configJson, createTime, owner, priority, agent, evaluates });
    this.jobs.set(id, job);
    if (request) this.requests.set(request.id, { job: id, digest: request.digest });
    this.#changed(id);
    return Promise.resolve(clone(JobSchema, job));
  }

  async findRequest(requestId: string): Promise<{ digest: string; job: Job } | undefined> {
    const found = this.requests.get(requestId);
    return found && { digest: found.digest, job: await this.getJob(found.job) };
  }

  getJob(id: string): Promise<Job> {
    const job = this.jobs.get(id);
    return job
      ? Promise.resolve(clone(JobSchema, job))
      : Promise.reject(new MillraceError('not_found', `There is no job ${id}.`, { field: 'job_id' }));
  }

  /** By job. */
  readonly checkpoints = new Map<string, Checkpoint[]>();
  async listCheckpoints(id: string): Promise<Checkpoint[]> {
    await this.getJob(id);
    return this.checkpoints.get(id) ?? [];
  }

  readonly listJobs = (): Promise<JobListing[]> => Promise.resolve([...this.jobs.keys()].map((id) => this.#listing(id)));

  async *watchJobs({ isWanted, since = 0, signal }: JobsWatch): AsyncGenerator<JobsChange> {
    let changed = [...this.jobs.keys()].filter((id) => this.#listing(id).revision > since);
    const inside = new Set(since > 0 ? changed : []);
    let wake = (): void => {};
    const listener = (id: string): void => {
      changed.push(id);
      wake();
    };
    const onAbort = (): void => wake();
    this.#listeners.add(listener);
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        const next = new Promise<void>((resolve) => (wake = resolve));
        const ids = changed;
        changed = [];
        for (const listing of ids.map((id) => this.#listing(id))) {
          const left = !isWanted(listing);
          if (left && !inside.delete(listing.id)) continue;
          if (!left) inside.add(listing.id);
          yield { job: await listing.view(), left, revision: listing.revision };
        }
        if (changed.length === 0) await next;
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async *watchJob(id: string, signal: AbortSignal): AsyncGenerator<Job> {
    this.watchers += 1;
    let changed = (): void => {};
    const listener = (of: string): void => {
      if (of === id) changed();
    };
    const onAbort = (): void => changed();
    this.#listeners.add(listener);
    signal.addEventListener('abort', onAbort);
    try {
      for (let job = await this.getJob(id); ; job = await this.getJob(id)) {
        const next = new Promise<void>((resolve) => (changed = resolve));
        yield job;
        if (isEndState(job.state) || signal.aborted) return;
        await next;
      }
    } finally {
      this.watchers -= 1;
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }

  cancelJob(id: string): Promise<Job> {
    return this.change(id, (job) => (job.state = JobState.CANCELLED));
  }

  pauseJob(id: string): Promise<Job> {
    return this.change(id, (job) => (job.state = JobState.PAUSED));
  }

  resumeJob(id: string): Promise<Job> {
    return this.change(id, (job) => (job.state = JobState.RUNNING));
  }

  setPriority(id: string, priority: number): Promise<Job> {
    return this.change(id, (job) => (job.priority = priority));
  }

  readonly listNodes = (): Promise<Node[]> => Promise.resolve(this.nodes);

  listActors(nodeId: string | undefined): Promise<Actor[]> {
    return Promise.resolve(this.actors.filter(({ address }) => nodeId === undefined || address.startsWith(`${nodeId}/`)));
  }

  query(sql: string, maxRows: number): Promise<QueryResult> {
    this.queries.push({ sql, maxRows });
    if (!/^\s*(select|show|with)\b/i.test(sql))
      return Promise.reject(new MillraceError('invalid_argument', 'Only reading is allowed.', { field: 'sql' }));
    return Promise.resolve(this.result);
  }

  exportTrajectories(request: ExportTrajectoriesRequest, signal: AbortSignal): AsyncIterable<ExportMessage> {
    if (this.transfer) return this.transfer.exportTrajectories(request, signal);
    throw new MillraceError('unavailable', 'There is no store.');
  }

  importTrajectories(request: ImportMessage, signal: AbortSignal): Promise<Imported> {
    return (
      this.transfer?.importTrajectories(request, signal) ?? Promise.reject(new MillraceError('unavailable', 'There is no store.'))
    );
  }

  readonly getStoreStats = (): Promise<StatsMessage> => Promise.resolve(this.stats);

  pruneStore(request: PruneStoreRequest): Promise<PruneMessage> {
    this.prunes.push(request);
    return Promise.resolve(this.pruned);
  }

  /** Changes a job that has not ended and tells its watchers. */
  async change(id: string, edit: (job: Job) => void): Promise<Job> {
    const job = await this.getJob(id);
    if (!isEndState(job.state)) edit(job);
    this.jobs.set(id, job);
    this.#changed(id);
    return clone(JobSchema, job);
  }

  #listing(id: string): JobListing {
    const { owner, priority, state, createTime, configJson } = this.jobs.get(id)!;
    const { name, flow } = JSON.parse(configJson) as JobConfig;
    const time = { createTime: timestampMs(createTime!), startTime: undefined, endTime: undefined };
    const word = JobState[state] as JobListing['state'];
    const revision = this.#revisions.get(id) ?? 0;
    return { id, name, flow, state: word, owner, priority, ...time, revision, view: () => this.getJob(id) };
  }

  #changed(id: string): void {
    this.#revision += 1;
    this.#revisions.set(id, this.#revision);
    for (const listener of this.#listeners) listener(id);
  }
}

function weightsOn(bus: Bus): BusWeightChannel {
  return new BusWeightChannel(bus, { clock: new VirtualClock(), random: seededRandom(1) });
}
