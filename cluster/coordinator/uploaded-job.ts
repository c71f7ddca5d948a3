import type { JobConfig } from '../../src/config/job.ts';
import { rewardComponents } from '../../src/config/job/reward.ts';
import { MillraceError } from '../../src/errors.ts';
import type { UnpackedBundle } from '../../src/flow/bundle/bundle.ts';
import { loadFlowModule } from '../../src/flow/load.ts';
import { loadJobRuntime, type JobRuntime } from '../jobs/runtime.ts';
import type { Query } from '../jobs/queries.ts';
import type { NodeContext } from '../runtime/context.ts';

/** Configurations whose runtime is kept for the next job that is created with it. */
const MAX_LOADED = 8;

/** Jobs of uploaded bundles that were loaded last: those of one bundle whose settings differ in nothing but name and rounds share what was loaded. */
export class UploadedJobs {
  readonly #context: Context;
  readonly #loaded = new Map<string, ReturnType<typeof uploadedJob>>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** See {@link uploadedJob}. */
  async load(job: UploadedJob): ReturnType<typeof uploadedJob> {
    // Queries are many, and differ from job to job.
    if (job.queries !== undefined) return uploadedJob(this.#context, job);
    const { name: _, rounds: __, ...settings } = job.config;
    const key = `${job.digest} ${JSON.stringify(settings)}`;
    const known = this.#loaded.get(key);
    if (known !== undefined && (await this.#context.bundles?.has(job.digest))) return known;
    const loading = uploadedJob(this.#context, job);
    this.#loaded.set(key, loading);
    loading.catch(() => this.#loaded.get(key) === loading && this.#loaded.delete(key));
    const [oldest] = this.#loaded.keys();
    if (this.#loaded.size > MAX_LOADED) this.#loaded.delete(oldest!);
    return loading;
  }
}

interface UploadedJob {
  config: JobConfig;
  digest: string;
  queries?: readonly Query[] | undefined;
}

type Context = Pick<NodeContext, 'bundles' | 'clock' | 'outside'>;

/**
 * Loads a new job from a bundle that a client has uploaded. `not_found` when it is not there, `invalid_argument` with the field when the job
 * wants rewards or data that are not in it: nothing of this machine takes their place.
 */
async function uploadedJob(
  context: Context,
  { config, digest, queries }: UploadedJob,
): Promise<{ runtime: JobRuntime; digest: string }> {
  const bundle = await opened(context, digest);
  const runtime = await loadJobRuntime(config, context, {
    bundle,
    queries: queries && (() => Promise.resolve(queries)),
  });
  const modules = rewardComponents(config.reward).filter(({ module }) => module !== undefined).length;
  const bundled = runtime.bundle?.rewards.length ?? 0;
  if (modules !== bundled)
    throw new MillraceError('invalid_argument', `names ${modules} modules; the bundle has ${bundled}.`, {
      field: 'reward.components',
    });
  if (config.data !== undefined && runtime.bundle?.data === undefined)
    throw new MillraceError('invalid_argument', 'is not in the bundle; bundle the flow with its data.', { field: 'data' });
  return { runtime, digest };
}

/** The flow of an uploaded bundle. `not_found` when it is not there, `invalid_argument` when it holds no flow. */
export async function bundledFlow(context: Context, digest: string): Promise<{ flow: string; takesQueries: boolean }> {
  const bundle = await opened(context, digest);
  const { flow } = await context.outside(loadFlowModule(bundle.source, bundle.flow));
  return { flow: flow.name, takesQueries: flow.fromQuery !== undefined };
}

async function opened({ bundles, outside }: Context, digest: string): Promise<UnpackedBundle> {
  if (bundles === undefined)
    throw new MillraceError('unimplemented', 'serial mode keeps no bundles; give the path of the flow.', {
      field: 'bundle_digest',
    });
  if (!(await bundles.has(digest)))
    throw new MillraceError('not_found', `there is no bundle ${digest}; upload it first, with the files that it lists.`, {
      field: 'bundle_digest',
    });
  return outside(bundles.open(digest));
}
