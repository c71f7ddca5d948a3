import { join } from 'node:path';
import { loadCheckpoint, loadStoredCheckpoint } from '../../../src/checkpoint/load.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { Files } from '../../../src/files/files.ts';
import type { PolicyKinds } from '../../../src/policy/registry.ts';
import { artifactsOf } from '../../jobs/artifacts.ts';
import { Violation } from '../observer.ts';
import type { Sometimes } from './sometimes.ts';

/** What {@link checkCheckpoints} looks at. */
export interface CheckpointsToCheck {
  files: Files;
  kinds: PolicyKinds;
  /** Has a folder of artifacts, and one of checkpoints with a folder for each job. */
  stateDir: string;
  /** The checkpoint that the job's record names as the newest. */
  recorded: string | undefined;
  /** Those that it lists. */
  listed: readonly { version: number; digest: string }[];
  saw: (state: Sometimes) => void;
}

/** A checkpoint is there whole or not at all, also after a loss of power; those that the job's record names are there. */
export async function checkCheckpoints({ files, kinds, stateDir, recorded, listed, saw }: CheckpointsToCheck): Promise<void> {
  const folder = join(stateDir, 'checkpoints');
  const found = new Set<string>();
  for (const job of await names(files, folder)) {
    for (const name of await names(files, join(folder, job))) {
      // A draft is nobody's checkpoint.
      if (name.startsWith('.')) {
        saw('checkpoint-torn');
        continue;
      }
      const path = join(folder, job, name);
      try {
        await loadCheckpoint(path, { kinds, files });
      } catch (thrown) {
        throw new Violation('checkpoint-is-whole', `${path}: ${MillraceError.from(thrown).message}`);
      }
      found.add(path);
      saw('checkpoint-survived');
    }
  }
  if (recorded !== undefined && !found.has(recorded))
    throw new Violation('checkpoint-is-there', `the job's record names ${recorded}, which is gone`);
  const artifacts = artifactsOf(stateDir, files);
  for (const { version, digest } of listed) {
    await loadStoredCheckpoint(artifacts, digest, { kinds }).catch((thrown: unknown) => {
      throw new Violation('checkpoint-is-listed', `version ${version}: ${MillraceError.from(thrown).message}`);
    });
  }
}

async function names(files: Files, folder: string): Promise<string[]> {
  return files.list(folder).catch(() => []);
}
