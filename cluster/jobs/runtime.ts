import type { JobConfig } from '../../src/config/job.ts';
import type { FlowDefinition } from '../../src/flow/define.ts';
import { loadFlow } from '../../src/flow/load.ts';
import { criticOf } from '../../src/algo/registry.ts';
import { policySpecFor } from '../../src/flow/prepare.ts';
import type { PolicySpec } from '../../src/policy/spec.ts';
import { loadTasks, type LoadedTasks } from '../../src/tasks/load.ts';

/** A job's flow with its tasks and context, ready to run in this process. */
export interface JobRuntime {
  config: JobConfig;
  flow: FlowDefinition<unknown, unknown>;
  spec: PolicySpec;
  /** Tasks and the flow's context; loaded on first use. */
  tasks(): Promise<LoadedTasks>;
}

/** Loads each job's flow once per process. */
export interface JobRuntimes {
  get(job: string, config: JobConfig): Promise<JobRuntime>;
  forget(job: string): void;
}

/** See `NodeContext.outside`. */
type Outside = <T>(work: Promise<T>) => Promise<T>;

/** Loads the flow module of a job configuration; its tasks when first asked for. */
export async function loadJobRuntime(config: JobConfig, outside: Outside = (work) => work): Promise<JobRuntime> {
  const flow = await outside(loadFlow(config.flow));
  let tasks: Promise<LoadedTasks> | undefined;
  return {
    config,
    flow,
    spec: { ...policySpecFor(flow, config.policy, config.seed), ...(criticOf(config.algorithm) && { value: true }) },
    tasks: () => (tasks ??= outside(loadTasks(flow, { data: config.data, options: config.source, seed: config.seed }))),
  };
}

/** A cache over {@link loadJobRuntime}; a failed load is forgotten, so that the next call tries again. */
export function createJobRuntimes(outside?: Outside): JobRuntimes {
  const runtimes = new Map<string, Promise<JobRuntime>>();
  return {
    get(job, config) {
      let runtime = runtimes.get(job);
      if (!runtime) {
        runtime = loadJobRuntime(config, outside);
        runtime.catch(() => runtimes.delete(job));
        runtimes.set(job, runtime);
      }
      return runtime;
    },
    forget: (job) => void runtimes.delete(job),
  };
}
