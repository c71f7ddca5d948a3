import type { JobBudgetConfig } from '../../src/config/budgets.ts';
import type { JobConfig } from '../../src/config/job.ts';
import {
  JobState,
  type Actor,
  type Checkpoint,
  type Job,
  type Node,
  type PruneStoreRequest,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import type { QueryResult } from '../../src/store/store.ts';
import type { CredentialDesk } from '../access/credential-desk.ts';
import type { JoinDesk } from '../join/join-desk.ts';
import type { JobVersion, WeightSource } from '../jobs/weight-source.ts';
import type { AgentDirectory } from '../jobs/agents.ts';
import type { Query } from '../jobs/queries.ts';
import type { ArtifactUploads } from './artifact-uploads.ts';
import type { BudgetDesk } from './budgets.ts';
import type { DeadLetterQueue } from './dead-letters.ts';
import type { Diagnosis } from './diagnosis.ts';
import type { TrajectoryTransfer } from './export.ts';
import type { JobFilter } from './filter.ts';
import type { JobListing } from './job-listing.ts';
import type { Schedules } from './schedules.ts';
import type { ServingApi } from './serving/index.ts';
import type { PruneMessage, StatsMessage, StoreCare } from './store-care.ts';

/** What a job may be created with besides its configuration. */
export interface CreateJobOptions {
  /** Whose weights it starts from. Default: drawn from its seed. */
  from?: WeightSource | undefined;
  /** Whose training it goes on with: all of it, not only the weights. Default: none. */
  fork?: JobVersion | undefined;
  /** The version of another job that it measures on that job's held-out tasks, training nothing. Default: none. */
  evaluates?: JobVersion | undefined;
  /** Default: "local". */
  owner?: string | undefined;
  /** From -100 to 100. Default: 0. */
  priority?: number | undefined;
  /** Digest of the uploaded bundle that it runs. Default: made of what lies at the paths of its configuration. */
  bundle?: string | undefined;
  /** Registered agent that the bundle is of. */
  agent?: string | undefined;
  /** What it trains on in place of the flow's own tasks. */
  queries?: readonly Query[] | undefined;
  /** The request that creates it: its id, a UUID, and a digest of its content. */
  request?: { id: string; digest: string } | undefined;
}

/** Which jobs `watchJobs` watches. */
export interface JobsWatch {
  isWanted: JobFilter;
  /** {@link JobsChange.revision} up to which the watcher knows the jobs. Default: it knows none. */
  since: number | undefined;
  /** Ends the watch. */
  signal: AbortSignal;
}

/** A job that is there or has changed. */
export interface JobsChange {
  job: Job;
  /** It is not wanted (any more). */
  left: boolean;
  /** All changes of records up to here have been told. */
  revision: number;
}

/** True for SUCCEEDED, FAILED and CANCELLED, and for UNREADABLE: nothing is heard of such a job any more. */
export function isEndState(state: JobState): boolean {
  return (
    state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED || state === JobState.UNREADABLE
  );
}

/**
 * What the admin API needs of the cluster. The service in service.ts checks every argument before it calls a method, so that
 * ids are well formed and configurations valid; methods throw MillraceErrors, which reach the caller as they are.
 */
export interface AdminBackend extends TrajectoryTransfer {
  /** Messages that were given up. */
  readonly deadLetters: DeadLetterQueue;
  /** Flows that are registered under a name. */
  readonly agents: AgentDirectory;
  /** What the flow of a bundle is called, and whether it takes queries. `not_found` and `invalid_argument` when there is none. */
  bundledFlow(digest: string): Promise<{ flow: string; takesQueries: boolean }>;
  /** Takes the artifacts of bundles. */
  readonly uploads: ArtifactUploads;
  /** Published policies, live tasks, experiments. */
  readonly serving: ServingApi;
  /** What creates jobs by the clock, or when new rows have come. */
  readonly schedules: Schedules;
  /** What owners have spent, and may spend. */
  readonly budgets: BudgetDesk;
  /** Lets hosts join. */
  readonly joins: JoinDesk;
  /** Named credentials. */
  readonly credentials: CredentialDesk;
  /** What is damaged. */
  readonly diagnosis: Diagnosis;
  /** Queues a job and returns it. `already_exists` when the id is taken. */
  createJob(id: string, config: JobConfig, options?: CreateJobOptions): Promise<Job>;
  /** `not_found` when there is none. */
  getJob(id: string): Promise<Job>;
  /**
   * The job that an earlier request of this id created, with the digest of its content. One that another coordinator has created just now may be
   * known by its id alone: with `jobId`, that of its record is compared.
   */
  findRequest(requestId: string, jobId?: string): Promise<{ digest: string; job: Job } | undefined>;
  /** By version, each read and checked. `not_found` when there is no such job. */
  listCheckpoints(id: string): Promise<Checkpoint[]>;
  /** All jobs, in any order. */
  listJobs(): Promise<JobListing[]>;
  /** Yields the jobs that are wanted, then those that change, until the signal aborts. Every value is a message of its own. */
  watchJobs(watch: JobsWatch): AsyncIterable<JobsChange>;
  /**
   * Yields the job as it is now, at once, and then after every change, until it has ended or `signal` aborts. `not_found` is
   * thrown by the first step. Every value is a message of its own, not one that changes later.
   */
  watchJob(id: string, signal: AbortSignal): AsyncIterable<Job>;
  /** Cancels the job at once. An ended job is returned unchanged. */
  cancelJob(id: string): Promise<Job>;
  /** Stops admitting rollouts. `failed_precondition` when the job has ended. */
  pauseJob(id: string): Promise<Job>;
  /** Goes on with a paused job. `failed_precondition` when the job has ended. */
  resumeJob(id: string): Promise<Job>;
  /** Changes a job's priority, -100 to 100. An ended job is returned unchanged. */
  setPriority(id: string, priority: number): Promise<Job>;
  /** Changes what a job may spend. `failed_precondition` when it has ended. */
  updateJobBudget(id: string, change: (before: JobBudgetConfig) => JobBudgetConfig): Promise<Job>;
  listNodes(): Promise<Node[]>;
  /** Actors of one node, or of all when `nodeId` is undefined. `not_found` when there is no such node. */
  listActors(nodeId: string | undefined): Promise<Actor[]>;
  /** One read-only statement on the trajectory store; see {@link Store.query}. */
  query(sql: string, maxRows: number, signal: AbortSignal): Promise<QueryResult>;
  /** What the trajectory store holds. */
  getStoreStats(): Promise<StatsMessage>;
  /** Deletes old rows of ended jobs. */
  pruneStore(request: PruneStoreRequest): Promise<PruneMessage>;
}

/** Asks the store node. */
export type RunQuery = (sql: string, maxRows: number, signal: AbortSignal) => Promise<QueryResult>;

/** How the store is asked; without `transfer` and `care` there is no store node. */
export interface StoreAccess {
  query: RunQuery;
  transfer?: TrajectoryTransfer;
  care?: StoreCare;
}
