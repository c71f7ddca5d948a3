import type { NodeContext } from '../runtime/context.ts';
import { checkpointReferences, referencesOf } from '../jobs/artifacts.ts';

/**
 * Deletes a checkpoint with the artifacts that it alone refers to: at once, since those of a large policy fill a disk. An artifact that a
 * checkpoint is being written with may go as well; that checkpoint has its file all the same, as a link of its own.
 */
export async function removeCheckpoint(
  { artifacts, files, stateDir }: Pick<NodeContext, 'artifacts' | 'files' | 'stateDir'>,
  folder: string,
): Promise<void> {
  const own = await referencesOf(folder, files);
  await files.remove(folder);
  if (own === undefined) return;
  const others = new Set([...(await checkpointReferences(stateDir, files)).values()].flatMap((other) => other.files));
  for (const digest of own.files) if (!others.has(digest)) await artifacts.remove(digest);
}
