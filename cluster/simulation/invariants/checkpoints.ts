import { join } from 'node:path';
import { loadCheckpoint } from '../../../src/checkpoint/load.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { Files } from '../../../src/files/files.ts';
import type { PolicyKinds } from '../../../src/policy/registry.ts';
import { Violation } from '../observer.ts';
import type { Sometimes } from './sometimes.ts';

/** What {@link checkCheckpoints} looks at. */
export interface CheckpointsToCheck {
  files: Files;
  kinds: PolicyKinds;
  /** Folder with a folder for each job. */
  folder: string;
  /** The checkpoint that the job's record names. */
  recorded: string | undefined;
  saw: (state: Sometimes) => void;
}

/** A checkpoint is there whole or not at all, also after a loss of power; the one that the job's record names is there. */
export async function checkCheckpoints({ files, kinds, folder, recorded, saw }: CheckpointsToCheck): Promise<void> {
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
}

async function names(files: Files, folder: string): Promise<string[]> {
  return files.list(folder).catch(() => []);
}
