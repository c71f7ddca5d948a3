import type { JobBudgetConfig } from '../../src/config/budgets.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import type {
  Actor,
  Checkpoint,
  ExportTrajectoriesRequest,
  Job,
  Node,
  PruneStoreRequest,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { Imported } from '../../src/store/export/import.ts';
import type { QueryResult } from '../../src/store/store.ts';
import type { AdminBackend, CreateJobOptions, JobsChange, JobsWatch, StoreAccess } from '../admin/backend.ts';
import { artifactUploads, type ArtifactUploads } from '../admin/artifact-uploads.ts';
import { BudgetDesk } from '../admin/budgets.ts';
import { deadLetterQueue, type DeadLetterQueue } from '../admin/dead-letters.ts';
import { diagnosis, type Diagnosis } from '../admin/diagnosis.ts';
import type { ExportMessage, ImportMessage, TrajectoryTransfer } from '../admin/export.ts';
import type { JobListing } from '../admin/job-listing.ts';
import type { PruneMessage, StatsMessage, StoreCare } from '../admin/store-care.ts';
import type { JobEntry, UnreadableJob } from '../jobs/directory.ts';
import { agentDirectory, type AgentDirectory } from '../jobs/agents.ts';
import { credentialDesk, type CredentialDesk } from '../access/credential-desk.ts';
import { joinDesk, type JoinDesk } from '../join/join-desk.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { NodeList } from '../runtime/nodes.ts';
import { BudgetBook } from './budget-book.ts';
import { checkedCheckpoints } from './checkpoint-views.ts';
import { schedulesApi, type Schedules } from '../admin/schedules.ts';
import { servingApi, type ServingApi } from '../admin/serving/index.ts';
import { JobCommands } from './job-commands.ts';
import { JobViews } from './job-view.ts';
import { rowsArrived } from './rows-arrived.ts';
import { bundledFlow } from './uploaded-job.ts';
import { jobChanges } from './job-watch.ts';
import { watchJobs } from './jobs-watch.ts';
import { actorViews, nodeViews } from './node-views.ts';
import { WorkerCalls } from './serving/worker-calls.ts';

/** What the admin API does, over the ports of a coordinator node. */
export class CoordinatorBackend implements AdminBackend {
  readonly #context: NodeContext;
  readonly #nodes: NodeList;
  readonly #store: StoreAccess;
  readonly #book: BudgetBook;
  readonly budgets: BudgetDesk;
  readonly #commands: JobCommands;
  readonly #views: JobViews;
  readonly deadLetters: DeadLetterQueue;
  readonly schedules: Schedules;
  readonly joins: JoinDesk;
  readonly credentials: CredentialDesk;
  readonly diagnosis: Diagnosis;
  readonly uploads: ArtifactUploads;
  readonly agents: AgentDirectory;
  readonly serving: ServingApi;
  readonly #workers: WorkerCalls;

  /** @param credentials - folder with the key of the authority. Default: nobody can join */
  constructor(context: NodeContext, nodes: NodeList, store: StoreAccess, credentials?: string) {
    this.#context = context;
    this.#nodes = nodes;
    this.#store = store;
    this.#book = new BudgetBook(context);
    this.budgets = new BudgetDesk(this.#book.ledger, () => context.clock.now());
    this.#commands = new JobCommands(context, this.#book);
    this.#views = new JobViews(context, nodes, this.#book);
    this.deadLetters = deadLetterQueue(context.bus);
    this.uploads = artifactUploads(context.artifacts);
    this.schedules = schedulesApi(context.bus, context.clock);
    this.joins = joinDesk(context, credentials);
    this.credentials = credentialDesk(context);
    this.agents = agentDirectory(context);
    this.#workers = new WorkerCalls(context, nodes);
    this.serving = servingApi({
      ...context,
      agents: this.agents,
      bundledFlow: (digest) => this.bundledFlow(digest),
      ask: this.#workers.ask,
    });
    this.diagnosis = diagnosis(context.bus, context.weights);
  }

  close(): void {
    this.#views.close();
    this.#workers.close();
    this.#book.close();
  }

  async createJob(id: string, config: JobConfig, options: CreateJobOptions = {}): Promise<Job> {
    return this.#views.view(await this.#commands.create(id, config, options));
  }

  async listCheckpoints(id: string): Promise<Checkpoint[]> {
    return checkedCheckpoints(this.#context, await this.#commands.record(id));
  }

  async getJob(id: string): Promise<Job> {
    const unreadable = this.#commands.unreadable(id);
    return unreadable ? this.#views.unreadable(unreadable) : this.#views.view(await this.#commands.record(id));
  }

  async findRequest(requestId: string, jobId?: string): Promise<{ digest: string; job: Job } | undefined> {
    const { jobs } = this.#context;
    const entry = jobs.byRequest(requestId) ?? (jobId === undefined ? undefined : await jobs.fetch(jobId));
    if (entry?.record.request?.id !== requestId) return undefined;
    return { digest: entry.record.request!.digest, job: await this.#views.view(entry.record) };
  }

  listJobs(): Promise<JobListing[]> {
    return Promise.resolve(this.#listings());
  }

  watchJobs(watch: JobsWatch): AsyncIterable<JobsChange> {
    return watchJobs(
      {
        clock: this.#context.clock,
        list: () => this.#listings(),
        get: (id) => {
          const entry = this.#context.jobs.get(id);
          const unreadable = this.#commands.unreadable(id);
          return entry ? this.#listing(entry) : unreadable && this.#unreadable(unreadable);
        },
        onChange: (handler) => this.#views.onChange(handler),
      },
      watch,
    );
  }

  #listings(): JobListing[] {
    const { jobs } = this.#context;
    return [...jobs.list().map((entry) => this.#listing(entry)), ...jobs.unreadable().map((job) => this.#unreadable(job))];
  }

  #listing({ record, revision }: JobEntry): JobListing {
    const { id, state, owner, priority, createdAt: createTime, startedAt: startTime, endedAt: endTime } = record;
    const { name, flow } = record.config;
    const view = (): Promise<Job> => this.#views.view(record);
    return { id, name, flow, state, owner, priority, createTime, startTime, endTime, revision, view };
  }

  #unreadable(job: UnreadableJob): JobListing {
    const { id, revision } = job;
    const nothing = { name: '', flow: '', owner: '', priority: 0, createTime: 0, startTime: undefined, endTime: undefined };
    return { id, revision, state: 'UNREADABLE', ...nothing, view: () => Promise.resolve(this.#views.unreadable(job)) };
  }

  async *watchJob(id: string, signal: AbortSignal): AsyncIterable<Job> {
    await this.getJob(id);
    yield* jobChanges(this.#context, { views: this.#views, id, signal, withoutRecord: () => this.getJob(id) });
  }

  async cancelJob(id: string): Promise<Job> {
    return this.#views.view(await this.#commands.cancel(id));
  }

  async pauseJob(id: string): Promise<Job> {
    return this.#views.view(await this.#commands.pause(id));
  }

  async resumeJob(id: string): Promise<Job> {
    return this.#views.view(await this.#commands.resume(id));
  }

  async setPriority(id: string, priority: number): Promise<Job> {
    return this.#views.view(await this.#commands.setPriority(id, priority));
  }

  async updateJobBudget(id: string, change: (before: JobBudgetConfig) => JobBudgetConfig): Promise<Job> {
    return this.#views.view(await this.#commands.updateBudget(id, change));
  }

  bundledFlow(digest: string): Promise<{ flow: string; takesQueries: boolean }> {
    return bundledFlow(this.#context, digest);
  }

  listNodes(): Promise<Node[]> {
    return Promise.resolve(nodeViews(this.#nodes));
  }

  async listActors(nodeId: string | undefined): Promise<Actor[]> {
    return Promise.resolve(actorViews(this.#nodes, nodeId));
  }

  query(sql: string, maxRows: number, signal: AbortSignal): Promise<QueryResult> {
    return this.#store.query(sql, maxRows, signal);
  }

  async *exportTrajectories(request: ExportTrajectoriesRequest, signal: AbortSignal): AsyncGenerator<ExportMessage> {
    const transfer = this.#transfer();
    const record = this.#context.jobs.get(request.filter?.job ?? '')?.record;
    if (record !== undefined && request.cursor === '') await rowsArrived(this.#context, this.#store.query, record, signal);
    yield* transfer.exportTrajectories(request, signal);
  }

  importTrajectories(request: ImportMessage, signal: AbortSignal): Promise<Imported> {
    return this.#transfer().importTrajectories(request, signal);
  }

  #transfer(): TrajectoryTransfer {
    if (this.#store.transfer) return this.#store.transfer;
    throw new MillraceError('unimplemented', 'serial mode has no store to export from; read the rows of the in-memory store');
  }

  async getStoreStats(): Promise<StatsMessage> {
    return this.#care().getStoreStats();
  }

  async pruneStore(request: PruneStoreRequest): Promise<PruneMessage> {
    const open = this.#context.jobs.list().filter(({ record }) => !isEnded(record.state));
    return this.#care().pruneStore(
      request,
      open.map(({ record }) => record.id),
    );
  }

  #care(): StoreCare {
    if (this.#store.care) return this.#store.care;
    throw new MillraceError('unavailable', 'This cluster has no store node.');
  }
}
