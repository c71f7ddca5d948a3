import { join } from 'node:path';
import { FileArtifacts } from '../../src/artifacts/file-artifacts.ts';
import { readManifest } from '../../src/checkpoint/load.ts';
import { namesIn, type Files } from '../../src/files/files.ts';
import { nodeFiles } from '../../src/files/node-files.ts';

/**
 * Artifacts of a state folder, shared by the nodes of a machine.
 * @param files - default: those of this machine
 */
export function artifactsOf(stateDir: string, files: Files = nodeFiles): FileArtifacts {
  return new FileArtifacts(join(stateDir, 'artifacts'), files);
}

/** What a checkpoint refers to. */
export interface CheckpointReferences {
  /** Digests of its files. */
  files: string[];
  /** Digest of the bundle of the flow that it is of, where its writer knew one. */
  code: string | undefined;
}

/**
 * What the checkpoints of a state folder refer to, by folder. One whose manifest cannot be read is left out: its files are links of their
 * own, and nothing finds its artifacts any more.
 */
export async function checkpointReferences(stateDir: string, files: Files): Promise<Map<string, CheckpointReferences>> {
  const references = new Map<string, CheckpointReferences>();
  const root = join(stateDir, 'checkpoints');
  for (const job of await namesIn(files, root)) {
    for (const name of await namesIn(files, join(root, job))) {
      const folder = join(root, job, name);
      const found = await referencesOf(folder, files);
      if (found !== undefined) references.set(folder, found);
    }
  }
  return references;
}

/** What one checkpoint refers to; undefined when it has no manifest that can be read. */
export async function referencesOf(folder: string, files: Files): Promise<CheckpointReferences | undefined> {
  const manifest = await readManifest(folder, files).catch(() => undefined);
  if (manifest === undefined) return undefined;
  const { code } = manifest.meta;
  return { files: Object.values(manifest.files), code: typeof code === 'string' ? code : undefined };
}
