import { dirname, resolve } from 'node:path';
import type { Clock } from '../../src/clock/clock.ts';
import type { JobConfig } from '../../src/config/job.ts';
import type { FlowDefinition } from '../../src/flow/define.ts';
import type { UnpackedBundle } from '../../src/flow/bundle/bundle.ts';
import { loadFlowModule } from '../../src/flow/load.ts';
import { checkExplorable } from '../../src/flow/explorer.ts';
import { checkTeachable } from '../../src/flow/teacher.ts';
import { flowOutline } from '../../src/flow/plan.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { criticOf } from '../../src/algo/registry.ts';
import type { PolicyKind, PolicySpec } from '../../src/policy/kind.ts';
import type { FlowOutline } from '../../src/policy/plan.ts';
import { specificationOf, type AnyPolicyKind, type PolicyKinds } from '../../src/policy/registry.ts';
import { loadContext, loadTasks, type LoadedTasks } from '../../src/tasks/load.ts';
import type { OnProgress } from '../../src/tasks/progress.ts';
import { decodeQueries, onQueries, type Query } from './queries.ts';
import { sourcePaths, withSourcePaths } from './source-paths.ts';
import type { JobBundles } from './bundles.ts';

/** A job's flow with its tasks and context, ready to run in this process. */
export interface JobRuntime {
  config: JobConfig;
  flow: FlowDefinition<unknown, unknown>;
  /** What of the flow its policy depends on. */
  outline: FlowOutline;
  /** Policy kinds by name: the built-in ones and those of the flow's module. */
  kinds: PolicyKinds;
  /** The kind of the job's policy. */
  kind: AnyPolicyKind;
  spec: PolicySpec;
  /** Clock of the process that loads it. */
  clock: Clock;
  /** What it was loaded from; undefined: from its files, as they were then. */
  bundle: UnpackedBundle | undefined;
  /** Tasks and the flow's context; loaded on first use. */
  tasks(onProgress?: OnProgress): Promise<LoadedTasks>;
  /** The flow's context alone, for who is given tasks one by one: they are not checked and not kept. */
  context(): Promise<unknown>;
}

/** What a job's record says of what it runs. */
type RuntimeRecord = Pick<JobRecord, 'id' | 'config' | 'code' | 'queries'>;

/** Loads each job's flow once per process. */
export interface JobRuntimes {
  /** Throws `unavailable` with field `code` while the job's bundle cannot be loaded. */
  get(record: RuntimeRecord): Promise<JobRuntime>;
  /** See {@link bundleJob}. */
  bundle(config: JobConfig): Promise<{ runtime: JobRuntime; digest: string | undefined }>;
  forget(job: string): void;
  /** Jobs loaded here whose flow's bundle or folder is named in a stack trace. */
  running(stack: string): string[];
}

/** What loading a job needs of the node that does it. */
export interface RuntimePorts {
  readonly clock: Clock;
  /** See `NodeContext.outside`. */
  readonly outside: <T>(work: Promise<T>) => Promise<T>;
}

/** Tasks and context of a flow, once somebody has asked for them. */
interface LoadedSource {
  tasks?: Promise<LoadedTasks> | undefined;
  context?: Promise<unknown>;
}

/** What a runtime is loaded from, if not from where the files are now. */
interface RuntimeSource {
  bundle?: UnpackedBundle | undefined;
  /** What to make tasks of in place of the flow's own, when they are first asked for. */
  queries?: (() => Promise<readonly Query[]>) | undefined;
  /** Where tasks and context are kept: jobs with the same share them. Default: in the runtime. */
  loaded?: LoadedSource | undefined;
}

/** Loads the flow module of a job configuration; its tasks when first asked for. */
export async function loadJobRuntime(
  config: JobConfig,
  { clock, outside }: RuntimePorts,
  { bundle, queries, loaded = {} }: RuntimeSource = {},
): Promise<JobRuntime> {
  const words = sourcePaths(config, bundle);
  const { flow, kinds } = await outside(withSourcePaths(words, loadFlowModule(config.flow, bundle?.flow)));
  const outline = flowOutline(flow);
  const kind = kinds.get(config.policy.kind);
  checkExplorable(kind as PolicyKind, config.exploration);
  checkTeachable(flow, config.algorithm);
  const needs = { seed: config.seed, value: criticOf(config.algorithm) !== undefined };
  const source = { data: bundle?.data ?? config.data, options: config.source, seed: config.seed, clock };
  return {
    ...{ config, flow, outline, kinds, kind, clock, bundle },
    spec: await outside(withSourcePaths(words, specificationOf(kind, outline, config.policy, needs))),
    tasks(onProgress) {
      if (loaded.tasks === undefined) {
        const own = queries ? onQueries(flow, queries) : flow;
        loaded.tasks = outside(withSourcePaths(words, loadTasks(own, { ...source, onProgress })));
        // What has failed is tried again by whoever asks next.
        loaded.tasks.catch(() => delete loaded.tasks);
      }
      return loaded.tasks;
    },
    context() {
      if (loaded.context === undefined) {
        const { tasks } = loaded;
        loaded.context = tasks?.then((all) => all.context) ?? outside(withSourcePaths(words, loadContext(flow, source)));
        loaded.context.catch(() => delete loaded.context);
      }
      return loaded.context;
    },
  };
}

/**
 * Bundles a job as its files are now, and loads it from that.
 * @returns with the bundle's digest; undefined where there are no bundles, or no module of the flow: then it is loaded from its files
 */
export async function bundleJob(
  config: JobConfig,
  ports: RuntimePorts,
  bundles?: JobBundles,
): Promise<{ runtime: JobRuntime; digest: string | undefined }> {
  const { outside } = ports;
  const load = async (digest: string | undefined): Promise<{ runtime: JobRuntime; digest: string | undefined }> => {
    const bundle = digest === undefined ? undefined : await outside(bundles!.open(digest));
    return { runtime: await loadJobRuntime(config, ports, { bundle }), digest };
  };
  const made = bundles && (await outside(bundles.make(config)));
  const loaded = await load(made);
  const files = (loaded.runtime.flow.files ?? []).map((path) => resolve(dirname(config.flow), path));
  // What a flow reads is known once it is loaded.
  return made === undefined || files.length === 0 ? loaded : load(await outside(bundles!.make(config, files)));
}

/** Configurations whose runtime is kept for the next job that is created with it. */
const MAX_BUNDLED = 8;

/** Jobs that were bundled last: those of one configuration and one bundle share what was loaded to check them. */
class BundledJobs {
  readonly #bundled = new Map<string, ReturnType<typeof bundleJob>>();

  async of(config: JobConfig, ports: RuntimePorts, bundles: JobBundles | undefined): ReturnType<typeof bundleJob> {
    const made = bundles && (await ports.outside(bundles.make(config)));
    if (made === undefined) return bundleJob(config, ports, bundles);
    const key = `${made} ${JSON.stringify(config)}`;
    const known = this.#bundled.get(key);
    if (known) return known;
    const loading = bundleJob(config, ports, bundles);
    this.#bundled.set(key, loading);
    const [oldest] = this.#bundled.keys();
    if (this.#bundled.size > MAX_BUNDLED) this.#bundled.delete(oldest!);
    const forget = (): void => void (this.#bundled.get(key) === loading && this.#bundled.delete(key));
    try {
      const { runtime, digest } = await loading;
      // Files that the flow names are not in the digest that it was looked up by.
      if (digest !== made || (runtime.flow.files ?? []).length > 0) forget();
    } catch (error) {
      forget();
      throw error;
    }
    return loading;
  }
}

/** What running jobs have loaded of their sources: jobs of one bundle, seed and options share it, whatever else they differ in. */
class SharedSources {
  readonly #shared = new Map<string, { loaded: LoadedSource; jobs: Set<string> }>();

  of({ id, config, code, queries }: RuntimeRecord): LoadedSource {
    // What lies in files may be another thing for each job.
    if (code === undefined) return {};
    const key = JSON.stringify([code, config.source, config.seed, queries]);
    const shared = this.#shared.get(key) ?? { loaded: {}, jobs: new Set<string>() };
    this.#shared.set(key, shared);
    shared.jobs.add(id);
    return shared.loaded;
  }

  forget(job: string): void {
    for (const [key, { jobs }] of this.#shared) if (jobs.delete(job) && jobs.size === 0) this.#shared.delete(key);
  }
}

/**
 * A cache over {@link loadJobRuntime}; a failed load is forgotten, so that the next call tries again.
 * @param bundles - where the bundles of jobs are kept. Default: nowhere, each job runs what its files hold when they are first imported.
 */
export function createJobRuntimes(ports: RuntimePorts, bundles?: JobBundles): JobRuntimes {
  const runtimes = new Map<string, Promise<JobRuntime>>();
  const folders = new Map<string, string[]>();
  const bundled = new BundledJobs();
  const shared = new SharedSources();
  const load = async (record: RuntimeRecord): Promise<JobRuntime> => {
    const { id: job, config, code: digest, queries } = record;
    const bundle = digest === undefined ? undefined : await bundles?.open(digest);
    folders.set(job, [dirname(config.flow), ...(bundle ? [bundle.folder] : [])]);
    const read = async (): Promise<Query[]> => decodeQueries(await bundles!.read(queries!));
    return loadJobRuntime(config, ports, {
      bundle,
      queries: queries === undefined ? undefined : read,
      loaded: shared.of(record),
    });
  };
  return {
    get(record) {
      const { id } = record;
      let runtime = runtimes.get(id);
      if (!runtime) {
        runtime = load(record);
        runtime.catch(() => runtimes.delete(id));
        runtimes.set(id, runtime);
      }
      return runtime;
    },
    bundle: (config) => bundled.of(config, ports, bundles),
    forget(job) {
      runtimes.delete(job);
      folders.delete(job);
      shared.forget(job);
    },
    running: (stack) =>
      [...folders].flatMap(([job, paths]) => (paths.some((folder) => stack.includes(`${folder}/`)) ? [job] : [])),
  };
}
