import { MillraceError } from '../../src/errors.ts';
import type { NodeContext } from '../runtime/context.ts';
import { agentDirectory } from '../jobs/agents.ts';
import { folderReferences, referencedArtifacts } from '../jobs/artifacts.ts';

/** What was put within this time stays: a job may be about to be created with it, or a checkpoint to be written. */
const KEPT_MS = 3600 * 1000;

/** How long after a job's end they are looked for: many jobs may end within that time, and every look reads what all of them refer to. */
const DELAY_MS = 60_000;

type Context = Pick<NodeContext, 'artifacts' | 'bus' | 'bundles' | 'clock' | 'files' | 'jobs' | 'log' | 'stateDir'>;

/**
 * Deletes the artifacts that nothing refers to, and the unpacked copies of bundles that no job runs. What refers to them are agents, the records of jobs (an ended job keeps its bundle:
 * a failed one can be resumed, and others start from its weights) and checkpoints, which keep their tensors and the bundle of their flow. Nothing is deleted
 * while a record or a bundle cannot be read, since it may refer to any of them.
 */
export async function deleteUnusedArtifacts(context: Context): Promise<void> {
  const { clock, jobs, log } = context;
  if (context.bundles === undefined || jobs.unreadable().length > 0) return;
  try {
    const deleted = await sweep(context, clock.now() - KEPT_MS);
    if (deleted > 0) log.info({ deleted }, 'artifacts that nothing refers to any more were deleted');
  } catch (thrown) {
    log.warn({ err: MillraceError.from(thrown) }, 'unused artifacts could not be deleted; tried again when a job ends');
  }
}

/** Deletes unused artifacts now, and again some time after each call of `soon`. */
export function keepDeletingUnused(context: Context): { soon: () => void; stop: () => void } {
  let stop: (() => void) | undefined;
  void deleteUnusedArtifacts(context);
  return {
    soon() {
      stop ??= context.clock.after(DELAY_MS, () => {
        stop = undefined;
        void deleteUnusedArtifacts(context);
      });
    },
    stop: () => stop?.(),
  };
}

async function sweep({ artifacts, bundles, bus, clock, files, jobs, stateDir }: Context, putBefore: number): Promise<number> {
  const checkpoints = await folderReferences(stateDir, files);
  const records = jobs.list().flatMap(({ record }) => record.code ?? []);
  const agents = await agentDirectory({ bus, clock }).list();
  const used = new Set([...records, ...agents.map(({ bundle }) => bundle), ...checkpoints.flatMap(({ code }) => code ?? [])]);
  const kept = await referencedArtifacts({ artifacts, jobs });
  for (const digest of checkpoints.flatMap((checkpoint) => checkpoint.files)) kept.add(digest);
  for (const digest of used) for (const part of [digest, ...((await bundles!.filesOf(digest)) ?? [])]) kept.add(part);
  let deleted = 0;
  for await (const { digest } of artifacts.list()) {
    if (!kept.has(digest) && (await artifacts.remove(digest, { putBefore }))) deleted += 1;
  }
  await artifacts.removeDrafts?.(putBefore);
  await bundles!.sweep(new Set(records), putBefore);
  return deleted;
}
