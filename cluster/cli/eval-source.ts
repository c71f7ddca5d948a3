import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { systemRandom } from '../../src/random/seeded.ts';
import { readManifest } from '../../src/checkpoint/load.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { storedJobConfigSchema } from '../../src/config/stored-job.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { MillraceError } from '../../src/errors.ts';
import { artifactsOf } from '../jobs/artifacts.ts';
import { jobBundles } from '../jobs/bundles.ts';
import { REAL_PORTS } from '../jobs/real-ports.ts';
import { bundleJob, loadJobRuntime, type JobRuntime } from '../jobs/runtime.ts';
import type { CliContext } from './context.ts';

/** What {@link openEvalSource} needs of the command's options. */
export interface EvalSourceFlags {
  checkpoint: string;
  data?: string;
  set?: string[];
}

/** The flow to evaluate with. */
export interface EvalSource {
  config: JobConfig;
  runtime: JobRuntime;
  /** Digest of its bundle. */
  code: string;
  /** Deletes its copy of the bundle. */
  close(): Promise<void>;
}

/**
 * The flow that a checkpoint is evaluated with: of a job file as it lies there now, all of it from the same moment; without one, of the job that the checkpoint is from,
 * as it was bundled when that was created. The bundle is unpacked into a folder of this process's own, so that nothing deletes it meanwhile.
 * @throws MillraceError failed_precondition when there is no job file and the checkpoint's job was not bundled, or its bundle is gone
 */
export async function openEvalSource(
  file: string | undefined,
  flags: EvalSourceFlags,
  context: Pick<CliContext, 'cwd' | 'env' | 'flags'>,
): Promise<EvalSource> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bundle-'));
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const { cwd, env } = context;
    if (file === undefined) return { ...(await ofCheckpoint(flags, context, folder)), close };
    const { config } = loadJobConfig(file, { env, cwd, overrides: flags.set ?? [], flags: { data: flags.data } });
    const { runtime, digest = '' } = await bundleJob(config, REAL_PORTS, jobBundles(folder, artifactsOf(folder), systemRandom()));
    return { config, runtime, code: digest, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function ofCheckpoint(
  { checkpoint, data, set = [] }: EvalSourceFlags,
  { cwd, flags }: Pick<CliContext, 'cwd' | 'flags'>,
  folder: string,
): Promise<Omit<EvalSource, 'close'>> {
  if (set.length > 0) throw missing('--set changes a job file: give one', '--set');
  const path = resolve(cwd, checkpoint);
  const { meta } = await readManifest(path);
  const config = storedJobConfigSchema.safeParse(meta['config']);
  const code = meta['code'];
  if (typeof code !== 'string' || !config.success)
    throw missing(`${path} does not say which bundle its flow is in: give the job file`, 'job.yaml');
  const stateDir = flags.state === undefined ? stateFolderOf(path) : resolve(cwd, flags.state);
  const bundles = stateDir === undefined ? undefined : jobBundles(folder, artifactsOf(stateDir), systemRandom());
  if (bundles === undefined || !(await bundles.has(code)))
    throw missing(
      `bundle ${code} of the checkpoint's flow is not in ${stateDir ?? dirname(path)}: give the job file, or --state`,
      'job.yaml',
    );
  const unpacked = await bundles.open(code);
  const own = data === undefined ? config.data : { ...config.data, data: resolve(cwd, data) };
  const runtime = await loadJobRuntime(own, REAL_PORTS, {
    bundle: data === undefined ? unpacked : { ...unpacked, data: undefined },
  });
  return { config: own, runtime, code };
}

/** The state folder that a checkpoint lies in; undefined for one that was copied elsewhere. */
function stateFolderOf(path: string): string | undefined {
  const folder = dirname(dirname(dirname(path)));
  return existsSync(join(folder, 'artifacts')) ? folder : undefined;
}

function missing(message: string, field: string): MillraceError {
  return new MillraceError('failed_precondition', `${message}.`, { field });
}
