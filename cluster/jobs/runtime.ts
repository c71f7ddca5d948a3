import { dirname } from 'node:path';
import type { JobConfig } from '../../src/config/job.ts';
import type { FlowDefinition } from '../../src/flow/define.ts';
import { checkData, checkFiles, readSnapshot } from '../../src/flow/code/snapshot-file.ts';
import { loadFlowModule } from '../../src/flow/load.ts';
import { flowOutline } from '../../src/flow/plan.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { criticOf } from '../../src/algo/registry.ts';
import type { PolicySpec } from '../../src/policy/kind.ts';
import type { FlowOutline } from '../../src/policy/plan.ts';
import { specificationOf, type AnyPolicyKind, type PolicyKinds } from '../../src/policy/registry.ts';
import { loadContext, loadTasks, type LoadedTasks } from '../../src/tasks/load.ts';
import type { OnProgress } from '../../src/tasks/progress.ts';
import type { JobCode } from './code.ts';

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
  /** Tasks and the flow's context; loaded on first use. */
  tasks(onProgress?: OnProgress): Promise<LoadedTasks>;
  /** The flow's context alone, for who is given tasks one by one: they are not checked and not kept. */
  context(): Promise<unknown>;
}

/** Loads each job's flow once per process. */
export interface JobRuntimes {
  /** Throws `unavailable` with field `code` when code or data is not what the job was created with. */
  get(record: Pick<JobRecord, 'id' | 'config' | 'code'>): Promise<JobRuntime>;
  forget(job: string): void;
  /** Jobs loaded here whose flow's folder is named in a stack trace. */
  running(stack: string): string[];
}

/** See `NodeContext.outside`. */
type Outside = <T>(work: Promise<T>) => Promise<T>;

/**
 * Loads the flow module of a job configuration; its tasks when first asked for.
 * @param snapshot - file of the code snapshot to load from. Default: from where the files are now.
 */
export async function loadJobRuntime(
  config: JobConfig,
  outside: Outside = (work) => work,
  snapshot?: string,
): Promise<JobRuntime> {
  const code = snapshot === undefined ? undefined : await outside(readSnapshot(snapshot));
  if (code) await outside(checkFiles(code));
  const { flow, kinds } = await outside(loadFlowModule(config.flow, snapshot));
  const outline = flowOutline(flow);
  const kind = kinds.get(config.policy.kind);
  const needs = { seed: config.seed, value: criticOf(config.algorithm) !== undefined };
  const source = { data: config.data, options: config.source, seed: config.seed };
  const checked = async <T>(load: () => Promise<T>): Promise<T> => {
    if (code) await checkData(code);
    return load();
  };
  let tasks: Promise<LoadedTasks> | undefined;
  let context: Promise<unknown> | undefined;
  return {
    config,
    flow,
    outline,
    kinds,
    kind,
    spec: specificationOf(kind, outline, config.policy, needs),
    tasks(onProgress) {
      if (tasks === undefined) {
        tasks = outside(checked(() => loadTasks(flow, { ...source, onProgress })));
        // What has failed is tried again by whoever asks next.
        tasks.catch(() => (tasks = undefined));
      }
      return tasks;
    },
    context() {
      if (context === undefined) {
        context = tasks?.then((loaded) => loaded.context) ?? outside(checked(() => loadContext(flow, source)));
        context.catch(() => (context = undefined));
      }
      return context;
    },
  };
}

/**
 * A cache over {@link loadJobRuntime}; a failed load is forgotten, so that the next call tries again.
 * @param code - where the code of jobs is kept. Default: nowhere, each job runs what its files hold when they are first imported.
 */
export function createJobRuntimes(outside?: Outside, code?: JobCode): JobRuntimes {
  const runtimes = new Map<string, Promise<JobRuntime>>();
  const folders = new Map<string, string>();
  return {
    get({ id, config, code: digest }) {
      let runtime = runtimes.get(id);
      if (!runtime) {
        runtime = loadJobRuntime(config, outside, digest === undefined ? undefined : code?.file(digest));
        runtime.catch(() => runtimes.delete(id));
        runtimes.set(id, runtime);
        folders.set(id, dirname(config.flow));
      }
      return runtime;
    },
    forget(job) {
      runtimes.delete(job);
      folders.delete(job);
    },
    running: (stack) => [...folders].flatMap(([job, folder]) => (stack.includes(`${folder}/`) ? [job] : [])),
  };
}
