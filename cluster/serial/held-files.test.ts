import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock/system.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { filesConformance } from '../../src/files/conformance.ts';
import { MemoryFiles } from '../../src/files/memory-files.ts';
import { heldFiles } from './held-files.ts';

filesConformance('heldFiles', async () => {
  const files = heldFiles(new MemoryFiles({ clock: systemClock }), (work) => work);
  await files.makeFolder('/folder');
  return { files, folder: '/folder', close: async () => {} };
});

it('keeps virtual time still while the disk of the world outside is slow', async () => {
  const clock = new VirtualClock();
  const slow = new MemoryFiles({ clock, before: () => new Promise((resolve) => setTimeout(resolve, 5)) });
  const files = heldFiles(slow, (work) => clock.hold(work));
  let time = 0;
  const stop = clock.every(1, () => void (time += 1));
  await clock.run(
    (async () => {
      const file = await files.create('/a');
      await file.write(Buffer.from('x'));
      await file.sync();
      for await (const piece of files.pieces('/a')) expect(Buffer.from(piece).toString()).toBe('x');
      await files.rename('/a', '/b');
    })(),
  );
  stop();
  expect(time).toBe(0);
});
