import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { artifactBytes, type ArtifactStore } from '../../src/artifacts/artifacts.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { rewardComponents } from '../../src/config/job/reward.ts';
import { MillraceError } from '../../src/errors.ts';
import { unloadable, type UnpackedBundle } from '../../src/flow/bundle/bundle.ts';
import { makeBundle } from '../../src/flow/bundle/make.ts';
import { MadeBundles } from './made-bundles.ts';
import type { Random } from '../../src/random/random.ts';
import type { BundledReward } from '../../src/reward/custom/protocol.ts';
import { readBundle, unpackBundle } from '../../src/flow/bundle/unpack.ts';

/** Bundles of the flows that jobs run: artifacts, unpacked on each machine that runs them. */
export interface JobBundles {
  /**
   * Bundles what a job would run now: its flow, reward modules, declared files and data.
   * @param files - more files and folders that the flow reads, absolute
   * @returns undefined when one of the modules is not there, or is none: importing it says so best
   * @throws MillraceError with the place of what cannot be bundled
   */
  make(config: JobConfig, files?: readonly string[]): Promise<string | undefined>;
  /** Unpacks a bundle. @throws MillraceError unavailable with field `code` while it cannot be loaded */
  open(digest: string): Promise<UnpackedBundle>;
  /** Content of an artifact that is small. @throws MillraceError unavailable with field `code` while it is gone or damaged */
  read(digest: string): Promise<Uint8Array>;
  /** Whether the bundle's manifest is there. */
  has(digest: string): Promise<boolean>;
  /** Digests of a bundle's files; undefined when there is no such bundle. @throws MillraceError when it is damaged */
  filesOf(digest: string): Promise<string[] | undefined>;
  /**
   * Deletes unpacked bundles, which can be unpacked again; those unpacked since `before` (Unix milliseconds) stay.
   * @param used - digests that jobs run
   */
  sweep(used: ReadonlySet<string>, before: number): Promise<void>;
}

/**
 * Bundles of a state folder: artifacts of `store`, unpacked in `<stateDir>/bundles`.
 * @param random - names what is not whole yet
 */
export function jobBundles(stateDir: string, store: ArtifactStore, random: Random): JobBundles {
  const folder = join(stateDir, 'bundles');
  const made = new MadeBundles();
  return {
    make: (config, files) => bundleOf(config, { store, made }, files),
    async open(digest) {
      if (!(await store.has(digest)) && (await isOldSnapshot(stateDir, digest))) throw olderLayout(stateDir, digest);
      return unpackBundle(digest, store, { folder, random });
    },
    read: (digest) =>
      artifactBytes(store, digest).catch((thrown: unknown) => {
        throw unloadable(`what the job trains on cannot be loaded: ${MillraceError.from(thrown).message}`, thrown);
      }),
    has: (digest) => store.has(digest),
    async filesOf(digest) {
      if (!(await store.has(digest))) return undefined;
      return Object.values((await readBundle(digest, store)).files);
    },
    async sweep(used, before) {
      for (const name of (await readdir(folder).catch(() => [] as string[])).sort()) {
        if (used.has(name)) continue;
        const path = join(folder, name);
        const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
        if (mtimeMs < before) await rm(path, { recursive: true, force: true });
      }
    },
  };
}

async function bundleOf(
  config: JobConfig,
  { store, made }: { store: ArtifactStore; made: MadeBundles },
  files: readonly string[] = [],
): Promise<string | undefined> {
  const { flow, data } = config;
  const rewards = rewardModules(config);
  if (!(await Promise.all([flow, ...rewards].map(isModule))).every(Boolean)) return undefined;
  try {
    const sources = { flow, rewards, data, files: [...(config.files ?? []), ...files] };
    return await made.digestOf(JSON.stringify(sources), store, (onFiles) => makeBundle(sources, store, onFiles));
  } catch (thrown) {
    const { code, message, field } = MillraceError.from(thrown);
    throw new MillraceError(code, `${flow} cannot be bundled: ${message}`, { field: field ?? 'flow', cause: thrown });
  }
}

/** Modules of a job's custom rewards, in the order of its components. */
function rewardModules({ reward }: Pick<JobConfig, 'reward'>): string[] {
  return rewardComponents(reward).flatMap(({ module }) => (module === undefined ? [] : [module]));
}

/** What is run of a bundle instead of each module of a job's custom rewards; of no bundle, nothing. */
export function bundledRewards(
  config: Pick<JobConfig, 'reward'>,
  bundle: UnpackedBundle | undefined,
): (module: string) => BundledReward | undefined {
  if (bundle === undefined) return () => undefined;
  const modules = rewardModules(config);
  return (module) => ({ module: bundle.rewards[modules.indexOf(module)] ?? module, flow: bundle.flow });
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

async function isModule(path: string): Promise<boolean> {
  return /\.([cm]?[jt]s|[jt]sx)$/.test(path) && (await isFile(path));
}

function isOldSnapshot(stateDir: string, digest: string): Promise<boolean> {
  return isFile(join(stateDir, 'code', `${digest}.json`));
}

function olderLayout(stateDir: string, digest: string): MillraceError {
  return new MillraceError(
    'failed_precondition',
    `an older version of Millrace created the job, and its code (${join(stateDir, 'code', digest)}.json) is no bundle: ` +
      '`millrace job resume` bundles it from its files, or create the job anew',
    { field: 'code' },
  );
}
