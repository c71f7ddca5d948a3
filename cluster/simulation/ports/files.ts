import type { Files } from '../../../src/files/files.ts';
import { fileError, type FileOperation } from '../../../src/files/memory-files.ts';
import type { Life } from '../life.ts';
import type { World } from '../world.ts';

/** What changes nothing on the disk. */
const READS: ReadonlySet<FileOperation['name']> = new Set(['read', 'list', 'stat', 'sync', 'syncFolder']);
/** What one operation takes, in ms. */
const TAKES_MS = 0.2;

/** The disk of the machine as one process uses it: operations take a while, fail where it is full, and end with the process. */
export function simulatedFiles(world: World, life: Life): Files {
  const { clock, faults, recorder } = world;
  const before = async ({ name, path }: FileOperation): Promise<void> => {
    const where = `${life.node} ${name} ${path}`;
    await life.running();
    await clock.sleep(TAKES_MS);
    await life.running();
    if (faults.strikes('crash-at-call', where)) {
      world.crash(life);
      await life.running();
    }
    if (READS.has(name)) return;
    recorder.note(life.node, 'file', `${name} ${path}`);
    const failed = faults.strikes('file-failed', where);
    if (failed) throw fileError('EIO', name, path);
    if (world.diskIsFull && (name === 'create' || name === 'write' || name === 'makeFolder'))
      throw fileError('ENOSPC', name, path);
  };
  const files = world.files.shared(before);
  files.freeBytes = () => Promise.resolve(world.diskIsFull ? 0 : undefined) as Promise<undefined>;
  return files;
}
