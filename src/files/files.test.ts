import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock/system.ts';
import { filesConformance } from './conformance.ts';
import { MemoryFiles } from './memory-files.ts';
import { nodeFiles } from './node-files.ts';

filesConformance('nodeFiles', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-files-'));
  return { files: nodeFiles, folder, close: () => rm(folder, { recursive: true, force: true }) };
});

filesConformance('MemoryFiles', async () => {
  const files = new MemoryFiles({ clock: systemClock });
  await files.makeFolder('/some/folder');
  return { files, folder: '/some/folder', close: async () => {} };
});

describe('nodeFiles', () => {
  it('gives files and folders the wanted permissions', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-files-'));
    const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);
    await nodeFiles.makeFolder(join(folder, 'f', 'g'), 0o700);
    await (await nodeFiles.create(join(folder, 'a'), 0o600)).close();
    expect([await mode(join(folder, 'f')), await mode(join(folder, 'f', 'g')), await mode(join(folder, 'a'))]).toEqual([
      ...['700', '700', '600'],
    ]);
    await rm(folder, { recursive: true });
  });
});
