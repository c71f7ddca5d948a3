import { join } from 'node:path';

/** Folder of a job's checkpoint of one version. */
export function checkpointPath(stateDir: string, job: string, version: number): string {
  return join(stateDir, 'checkpoints', job, `v${String(version).padStart(6, '0')}`);
}

/** Folder of the weights that a job starts from, where they are not drawn from its seed. */
export function initialPath(stateDir: string, job: string, folder: string): string {
  return join(stateDir, 'checkpoints', job, folder);
}
