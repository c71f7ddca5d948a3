import { appendFile, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock/system.ts';
import { MemoryFiles } from '../files/memory-files.ts';
import { mountSmallDisk } from '../telemetry/testing-small-disk.ts';
import { artifactConformance } from './conformance.ts';
import { FileArtifacts } from './file-artifacts.ts';
import { MemoryArtifacts } from './memory-artifacts.ts';

artifactConformance('MemoryArtifacts', async () => {
  const store = new MemoryArtifacts(systemClock);
  return { store, other: store, damage: async (digest) => store.damage(digest), close: async () => {} };
});

artifactConformance('FileArtifacts', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-artifacts-'));
  const store = new FileArtifacts(join(folder, 'artifacts'));
  return {
    ...{ store, other: new FileArtifacts(join(folder, 'artifacts')) },
    damage: (digest) => appendFile(store.pathOf(digest), 'x'),
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

artifactConformance('FileArtifacts in memory', async () => {
  const files = new MemoryFiles({ clock: systemClock });
  const store = new FileArtifacts('/state/artifacts', files);
  const damage = async (digest: string): Promise<void> => {
    const path = store.pathOf(digest);
    const content = await files.read(path);
    await files.remove(path);
    const file = await files.create(path);
    await file.write(Buffer.concat([content, Buffer.from('x')]));
  };
  return { store, other: new FileArtifacts('/state/artifacts', files.shared()), damage, close: async () => {} };
});

describe('FileArtifacts', () => {
  it('is for the owner only, and leaves no drafts', async () => {
    const folder = join(await mkdtemp(join(tmpdir(), 'millrace-artifacts-')), 'artifacts');
    const store = new FileArtifacts(folder);
    const { digest } = await store.put(Buffer.from('secret'));
    const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);
    expect(await mode(store.pathOf(digest))).toBe('600');
    expect(await mode(dirname(store.pathOf(digest)))).toBe('700');
    expect(await mode(folder)).toBe('700');
    expect(await readdir(join(folder, 'drafts'))).toEqual([]);
    await rm(dirname(folder), { recursive: true });
  });

  it('deletes what a crash has left, and nothing that is being written', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-artifacts-'));
    const store = new FileArtifacts(folder);
    await store.put(Buffer.from('kept'));
    const old = new Date(Date.now() - 2 * 24 * 3600_000);
    for (const name of ['old', 'new']) await writeFile(join(folder, 'drafts', name), '');
    await utimes(join(folder, 'drafts', 'old'), old, old);
    await store.removeDrafts(Date.now() - 3600_000);
    expect(await readdir(join(folder, 'drafts'))).toEqual(['new']);
    await rm(folder, { recursive: true });
  });

  it('says that the disk is full, and leaves nothing', async ({ skip }) => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-artifacts-'));
    const disk = mountSmallDisk(join(folder, 'disk'), 2);
    if (disk === undefined) return skip('needs root and tmpfs');
    try {
      const store = new FileArtifacts(join(disk.path, 'artifacts'));
      await expect(store.put(Buffer.alloc(4 << 20))).rejects.toMatchObject({ code: 'resource_exhausted' });
      expect(await readdir(join(disk.path, 'artifacts', 'drafts'))).toEqual([]);
      expect((await store.put(Buffer.from('small'))).size).toBe(5);
    } finally {
      disk.unmount();
      await rm(folder, { recursive: true });
    }
  });
});
