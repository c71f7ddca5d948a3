import type { JobConfigInput } from '../config/job.ts';
import type { AdminService, Checkpoint, Evaluation, Job } from '../gen/millrace/v1/admin_pb.ts';
import { randomId } from '../random/id.ts';
import { systemRandom } from '../random/seeded.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';
import { answered } from './answered.ts';
import { resumed, type JobChange } from './follow.ts';
import { isEnded } from './state.ts';
import { pathOf, uploadFlow, type UploadedFlow } from './upload.ts';

/** A coordinator loads the flow and its tasks, for which `load` of a flow has five minutes; the server answers within its own limit. */
const CREATE_MS = 330_000;

/** Settings of a job, as in job.yaml, but for the flow. Paths are those of this machine, relative to the working directory. */
export type JobConfigOf = Omit<JobConfigInput, 'flow'>;

/** Options of {@link JobsClient.create}. */
export interface CreateJobOptions extends CallOptions {
  config: JobConfigOf;
  /** The flow's module on this machine, or one that is in the cluster already, with its rewards and data. */
  flow: string | URL | UploadedFlow;
  /** 1 to 40 lower-case letters, digits and "-". Default: made from the name. */
  id?: string | undefined;
  /** What it starts from: "<job>", "<job>@<version>". Default: weights drawn from its seed. */
  from?: string | undefined;
  /** Default "local". */
  owner?: string | undefined;
  /** -100 to 100. Default 0. */
  priority?: number | undefined;
  /** A UUID: the same create again, after a failure of the network for example, gives the same job. Default: one of its own for each call. */
  requestId?: string | undefined;
}

/** Options of {@link JobsClient.list}. */
export interface ListJobsOptions extends CallOptions {
  /** E.g. `state=RUNNING AND owner="ana"`; see ListJobsRequest in admin.proto. */
  filter?: string | undefined;
  /** E.g. `priority desc, create_time`. Default: the newest first. */
  orderBy?: string | undefined;
  /** Fields of the jobs to ask for, by their names in admin.proto, e.g. `progress.round`. Default: all. */
  fields?: readonly string[] | undefined;
}

/** Options of {@link JobsClient.fork}. */
export interface ForkJobOptions extends Omit<CreateJobOptions, 'config' | 'flow' | 'from'> {
  /** Values of the configuration to change. Default: none. */
  config?: Partial<JobConfigOf> | undefined;
}

/** Options of {@link JobsClient.evaluate}. */
export interface EvaluateOptions extends CallOptions {
  /** Policy version, of those that are kept. Default: the newest. */
  version?: number | undefined;
  /** A UUID: the same call again gives the same evaluation. Default: one of its own for each call. */
  requestId?: string | undefined;
}

/** What a job may spend at most; `null`: no limit. */
export interface BudgetLimits {
  /** Millionths of a US dollar. */
  microDollars?: number | null | undefined;
  /** Tokens of language models. */
  tokens?: number | null | undefined;
  /** Trajectories, those of evaluations included. */
  trajectories?: number | null | undefined;
  /** Seconds in which the job runs, whole ones. */
  wallSeconds?: number | null | undefined;
}

/** One page of a list. */
export interface JobPage {
  jobs: Job[];
  /** Empty on the last one. */
  nextPageToken: string;
}

/** Options of {@link JobsClient.watch}. */
export interface WatchOptions extends CallOptions {
  /** Fields of the job to send; only their changes are told. `state` is always among them. Default: all. */
  fields?: readonly string[] | undefined;
}

/** Options of {@link JobsClient.watchAll}. */
export interface WatchAllOptions extends WatchOptions {
  filter?: string | undefined;
}

/** Jobs of a cluster. */
export class JobsClient {
  readonly #admin: ServiceClient<typeof AdminService>;
  readonly #patienceMs: number;

  constructor(admin: ServiceClient<typeof AdminService>, { patienceMs }: { patienceMs: number }) {
    this.#admin = admin;
    this.#patienceMs = patienceMs;
  }

  /** Bundles and uploads the flow, unless it is in the cluster, and queues a job of it. */
  async create({ config, flow, id, from, owner, priority, requestId, ...options }: CreateJobOptions): Promise<Job> {
    const local = typeof flow === 'string' || flow instanceof URL;
    const located = locate(config);
    const { bundle } = local ? await this.#upload(pathOf(flow), located, options) : flow;
    const whole = { ...located, flow: local ? pathOf(flow) : `/bundle/${bundle}` };
    const request = {
      configJson: JSON.stringify(whole),
      bundleDigest: bundle,
      requestId: requestId ?? randomId(systemRandom()),
      ...given({ jobId: id, from, owner, priority }),
    };
    return present((await this.#admin.createJob(request, { timeoutMs: CREATE_MS, ...options })).job);
  }

  /** `not_found` when there is none. */
  async get(id: string, { fields, ...options }: WatchOptions = {}): Promise<Job> {
    return present((await this.#admin.getJob({ jobId: id, ...mask(fields) }, options)).job);
  }

  /** Every job that the filter takes, fetched page by page. */
  async *list(options: ListJobsOptions = {}): AsyncGenerator<Job> {
    for (let pageToken = ''; ;) {
      const page = await this.page({ ...options, pageSize: 200, pageToken });
      yield* page.jobs;
      pageToken = page.nextPageToken;
      if (pageToken === '') return;
    }
  }

  /** One page of a list. */
  async page({
    filter = '',
    orderBy = '',
    fields,
    pageSize = 50,
    pageToken = '',
    ...options
  }: ListJobsOptions & { pageSize?: number; pageToken?: string } = {}): Promise<JobPage> {
    const { jobs, nextPageToken } = await this.#admin.listJobs(
      { filter, orderBy, pageSize, pageToken, ...mask(fields) },
      options,
    );
    return { jobs, nextPageToken };
  }

  /** The job now, after every change, and when it has ended; then the iteration is over. A coordinator that goes away is waited for. */
  async *watch(id: string, { fields, ...options }: WatchOptions = {}): AsyncGenerator<Job> {
    const admin = this.#admin;
    const request = { jobId: id, ...mask(fields && ['state', ...fields]) };
    const open = async function* (resumeToken: string): AsyncGenerator<{ value: Job; token: string }> {
      for await (const { job, resumeToken: token } of admin.watchJob({ ...request, resumeToken }, options))
        yield { value: present(job), token };
    };
    for await (const job of resumed(open, { patienceMs: this.#patienceMs, signal: options.signal })) {
      yield job;
      if (isEnded(job)) return;
    }
  }

  /** The jobs that the filter takes, then each one that changes, without an end. */
  watchAll({ filter = '', fields, ...options }: WatchAllOptions = {}): AsyncGenerator<JobChange> {
    const admin = this.#admin;
    const request = { filter, ...mask(fields && ['id', 'state', ...fields]) };
    const open = async function* (resumeToken: string): AsyncGenerator<{ value: JobChange; token: string }> {
      for await (const { job, left, resumeToken: token } of admin.watchJobs({ ...request, resumeToken }, options))
        yield { value: { job: present(job), left }, token };
    };
    return resumed(open, { patienceMs: this.#patienceMs, signal: options.signal });
  }

  /** Waits until the job has ended, well or not, and returns it. */
  async wait(id: string, options: CallOptions = {}): Promise<Job> {
    for await (const job of this.watch(id, { ...options, fields: [] })) if (isEnded(job)) break;
    return this.get(id, options);
  }

  /** Stops sending requests; what is in progress ends. */
  async pause(id: string, options?: CallOptions): Promise<Job> {
    return present((await this.#admin.pauseJob({ jobId: id }, options)).job);
  }

  /** Goes on with a paused job, or a failed one whose state is whole. */
  async resume(id: string, options?: CallOptions): Promise<Job> {
    return present((await this.#admin.resumeJob({ jobId: id }, { timeoutMs: 60_000, ...options })).job);
  }

  /** Ends the job at once; one that has ended stays as it is. */
  async cancel(id: string, options?: CallOptions): Promise<Job> {
    return present((await this.#admin.cancelJob({ jobId: id }, options)).job);
  }

  /**
   * Goes on with the training of "<job>" (its newest checkpoint that is whole) or "<job>@<version>" as a new job, which is queued. `config` changes
   * values of that job's configuration, e.g. `{ rounds: 500 }`; docs/checkpoints.md says which may change.
   */
  async fork(from: string, { config, id, owner, priority, requestId, ...options }: ForkJobOptions = {}): Promise<Job> {
    let configJson = '';
    if (config !== undefined) {
      const parent = await this.get(from.replace(/@.*/, ''), { ...options, fields: ['config_json'] });
      configJson = JSON.stringify(merged(JSON.parse(parent.configJson), config));
    }
    const request = {
      fork: from,
      configJson,
      requestId: requestId ?? randomId(systemRandom()),
      ...given({ jobId: id, owner, priority }),
    };
    return present((await this.#admin.createJob(request, { timeoutMs: CREATE_MS, ...options })).job);
  }

  /**
   * Measures a version of a job on its held-out tasks, also when the job has ended. Returns the job that does it; when that has ended, the result
   * is among the evaluations of both.
   */
  async evaluate(id: string, { version, requestId, ...options }: EvaluateOptions = {}): Promise<Job> {
    const request = { jobId: id, requestId: requestId ?? randomId(systemRandom()), ...given({ version }) };
    return present((await this.#admin.evaluateJob(request, { timeoutMs: CREATE_MS, ...options })).job);
  }

  /** Changes the priority, -100 to 100; one that has ended stays as it is. */
  async setPriority(id: string, priority: number, options?: CallOptions): Promise<Job> {
    return present((await this.#admin.setJobPriority({ jobId: id, priority }, options)).job);
  }

  /** Changes what a job may spend: limits that are given are set, `null` takes one away, the others stay. */
  async setBudget(id: string, limits: BudgetLimits, options?: CallOptions): Promise<Job> {
    const { microDollars, tokens, trajectories, wallSeconds } = limits;
    const count = (value: number | null | undefined): bigint | undefined =>
      value === null || value === undefined ? undefined : BigInt(value);
    const seconds = count(wallSeconds);
    const budget = given({
      ...{ microDollars: count(microDollars), tokens: count(tokens), trajectories: count(trajectories) },
      wallTime: seconds === undefined ? undefined : { seconds },
    });
    const named = { micro_dollars: microDollars, tokens, trajectories, wall_time: wallSeconds };
    const paths = Object.entries(named).flatMap(([path, value]) => (value === undefined ? [] : [path]));
    return present((await this.#admin.updateJobBudget({ jobId: id, budget, updateMask: { paths } }, options)).job);
  }

  /** Every evaluation so far, oldest first. */
  async evaluations(id: string, options: CallOptions = {}): Promise<Evaluation[]> {
    return (await this.get(id, { ...options, fields: ['evaluations'] })).evaluations;
  }

  /** The checkpoints of a job, by version, each read and checked. */
  async checkpoints(id: string, options?: CallOptions): Promise<Checkpoint[]> {
    return (await this.#admin.listCheckpoints({ jobId: id }, options)).checkpoints;
  }

  #upload(flow: string, config: JobConfigOf, options: CallOptions): Promise<UploadedFlow> {
    const rewards = (config.reward?.components ?? []).flatMap(({ module }) => (module === undefined ? [] : [module]));
    return uploadFlow(this.#admin, { flow, rewards, data: config.data, files: config.files }, options);
  }
}

/** The configuration with absolute paths: they name places in messages. */
function locate(config: JobConfigOf): JobConfigOf {
  const components = config.reward?.components?.map((component) =>
    component.module === undefined ? component : { ...component, module: pathOf(component.module) },
  );
  return {
    ...config,
    ...(config.data !== undefined && { data: pathOf(config.data) }),
    ...(config.files !== undefined && { files: config.files.map(pathOf) }),
    ...(components !== undefined && { reward: { ...config.reward, components } }),
  };
}

/** `base` with the values of `change`, object by object; lists are replaced. */
function merged(base: unknown, change: unknown): unknown {
  if (!isPlain(base) || !isPlain(change)) return change === undefined ? base : change;
  return { ...base, ...Object.fromEntries(Object.entries(change).map(([key, value]) => [key, merged(base[key], value)])) };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mask(fields: readonly string[] | undefined): { readMask?: { paths: string[] } } {
  return fields === undefined || fields.length === 0 ? {} : { readMask: { paths: [...fields] } };
}

function given<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

function present(job: Job | undefined): Job {
  return answered(job, 'a job');
}
