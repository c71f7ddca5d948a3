import { expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { MemoryFiles, type FileOperation } from '../files/memory-files.ts';
import { seededRandom } from '../random/seeded.ts';
import { removeFolder } from './remove-folder.ts';

const FOLDER = '/job/v000001';
const NAMES = ['a', 'b', 'c'];

async function filled(): Promise<MemoryFiles> {
  const files = new MemoryFiles({ clock: new VirtualClock() });
  await files.makeFolder(FOLDER);
  for (const name of NAMES) {
    const file = await files.create(`${FOLDER}/${name}`);
    await file.write(new Uint8Array([1]));
    await file.sync();
    await file.close();
  }
  for (const folder of [FOLDER, '/job', '/']) await files.syncFolder(folder);
  return files;
}

it('removes a folder, and does not mind when there is none', async () => {
  const files = await filled();
  await removeFolder(files, FOLDER);
  expect(await files.list('/job')).toEqual([]);
  await removeFolder(files, FOLDER);
});

it('leaves it whole or not there when the machine loses power at any point', async () => {
  const found = new Set<number>();
  for (let seed = 0; seed < 60; seed += 1) {
    const files = await filled();
    let left = seed % 6;
    const lost: MemoryFiles[] = [];
    const before = (_: FileOperation): Promise<void> => {
      if (left === 0) lost.push(files.crash(seededRandom(seed)));
      left -= 1;
      return Promise.resolve();
    };
    const removed = removeFolder(files.shared(before), FOLDER);
    // The process ends with its machine.
    await removed.catch((error: unknown) => expect(error).toMatchObject({ code: 'EIO' }));
    const after = lost[0] ?? files.crash(seededRandom(seed));
    found.add((await after.list(FOLDER).catch(() => [])).length);
  }
  expect([...found].sort()).toEqual([0, NAMES.length]);
});
