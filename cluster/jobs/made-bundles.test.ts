import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MadeBundles } from './made-bundles.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-made-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('makes a bundle anew when a file of it, or the folder of one, has changed, or it is gone', async () => {
  const bundles = new MadeBundles();
  const file = join(folder, 'flow.ts');
  await writeFile(file, 'one');
  let makes = 0;
  let isThere = true;
  let meanwhile = (): Promise<void> => Promise.resolve();
  const digest = () =>
    bundles.digestOf('flow', { has: () => Promise.resolve(isThere) }, async (onFiles) => {
      makes += 1;
      onFiles([file]);
      await meanwhile();
      return `digest-${makes}`;
    });
  // The first time its files are not known; from the second on they are.
  expect([await digest(), await digest(), await digest(), await digest()]).toEqual([
    'digest-1',
    'digest-2',
    'digest-2',
    'digest-2',
  ]);
  await writeFile(file, 'two');
  expect([await digest(), await digest()]).toEqual(['digest-3', 'digest-3']);
  await writeFile(join(folder, 'flow.js'), 'found instead of it, perhaps');
  expect([await digest(), await digest()]).toEqual(['digest-4', 'digest-4']);
  isThere = false;
  expect(await digest()).toBe('digest-5');
  isThere = true;
  await writeFile(file, 'three');
  // Written while it was made: nobody knows which of the two was read.
  meanwhile = () => writeFile(file, 'four');
  expect([await digest(), await digest()]).toEqual(['digest-6', 'digest-7']);
  await rm(file);
  meanwhile = () => Promise.resolve();
  expect([await digest(), await digest()]).toEqual(['digest-8', 'digest-9']);
});
