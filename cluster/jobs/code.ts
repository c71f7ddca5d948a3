import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobConfig } from '../../src/config/job.ts';
import { rewardComponents } from '../../src/config/job/reward.ts';
import { MillraceError } from '../../src/errors.ts';
import type { CodeSnapshot } from '../../src/flow/code/snapshot.ts';
import { snapshotFile, writeSnapshot } from '../../src/flow/code/snapshot-file.ts';
import { takeSnapshot } from '../../src/flow/code/take.ts';

/** The code that jobs run: snapshots by digest in the state folder, so that every process of a job loads the same. */
export interface JobCode {
  /** Takes a snapshot of what a job would run now, and keeps it. Undefined when the flow's file is not there. */
  take(config: JobConfig): Promise<{ digest: string; file: string } | undefined>;
  /** Where the snapshot with a digest lies. */
  file(digest: string): string;
  /**
   * Deletes snapshots that nothing uses any more. Those written within the last hour stay: a job may be about to be created with one.
   * @param used - digests that are still needed
   * @returns digests of those that were deleted
   */
  sweep(used: ReadonlySet<string>): Promise<string[]>;
}

/** A snapshot is kept at least this long. */
const KEPT_MS = 3600 * 1000;

/** Snapshots in `<stateDir>/code`. */
export function jobCode(stateDir: string): JobCode {
  const folder = join(stateDir, 'code');
  return {
    async take(config) {
      const snapshot = await codeOf(config);
      return snapshot && { digest: snapshot.digest, file: await writeSnapshot(folder, snapshot) };
    },
    file: (digest) => snapshotFile(folder, digest),
    async sweep(used) {
      const deleted: string[] = [];
      for (const name of await readdir(folder).catch(() => [] as string[])) {
        const [, digest] = /^([0-9a-f]{64})\.json(?:\.\d+\.partial)?$/.exec(name) ?? [];
        if (digest === undefined || (used.has(digest) && !name.endsWith('.partial'))) continue;
        const path = join(folder, name);
        const written = (await stat(path).catch(() => undefined))?.mtimeMs ?? Infinity;
        if (written > Date.now() - KEPT_MS) continue;
        await rm(path, { force: true });
        if (name.endsWith('.json')) deleted.push(digest);
      }
      return deleted;
    },
  };
}

/**
 * What a job would run now: its flow, its reward modules, all that these import by path, and its data.
 * @returns undefined when the flow's file is not there: importing it says so best
 * @throws MillraceError invalid_argument with the place of what cannot be read
 */
async function codeOf({ flow, reward, data }: JobConfig): Promise<CodeSnapshot | undefined> {
  const modules = rewardComponents(reward).flatMap(({ module }) => (module === undefined ? [] : [module]));
  const there = await Promise.all(
    [flow, ...modules].map(async (path) => (await stat(path).catch(() => undefined))?.isFile() === true),
  );
  if (there[0] !== true) return undefined;
  try {
    return await takeSnapshot({ entries: [flow, ...modules.filter((_, i) => there[i + 1])], data });
  } catch (thrown) {
    const { code, message, field } = MillraceError.from(thrown);
    throw new MillraceError(code, `${flow} cannot be imported: ${message}`, { field: field ?? 'flow', cause: thrown });
  }
}
