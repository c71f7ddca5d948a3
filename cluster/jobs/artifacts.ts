import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FileArtifacts } from '../../src/artifacts/file-artifacts.ts';
import { readManifest } from '../../src/checkpoint/load.ts';

/** Artifacts of a state folder, shared by the nodes of a machine. */
export function artifactsOf(stateDir: string): FileArtifacts {
  return new FileArtifacts(join(stateDir, 'artifacts'));
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
export async function checkpointReferences(stateDir: string): Promise<Map<string, CheckpointReferences>> {
  const references = new Map<string, CheckpointReferences>();
  const root = join(stateDir, 'checkpoints');
  for (const job of await names(root)) {
    for (const name of await names(join(root, job))) {
      const folder = join(root, job, name);
      const found = await referencesOf(folder);
      if (found !== undefined) references.set(folder, found);
    }
  }
  return references;
}

/** What one checkpoint refers to; undefined when it has no manifest that can be read. */
export async function referencesOf(folder: string): Promise<CheckpointReferences | undefined> {
  const manifest = await readManifest(folder).catch(() => undefined);
  if (manifest === undefined) return undefined;
  const { code } = manifest.meta;
  return { files: Object.values(manifest.files), code: typeof code === 'string' ? code : undefined };
}

async function names(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}
