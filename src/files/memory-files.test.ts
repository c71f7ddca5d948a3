import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { seededRandom } from '../random/seeded.ts';
import type { Files } from './files.ts';
import { fileError, MemoryFiles, type FileOperation } from './memory-files.ts';

const clock = new VirtualClock();

async function write(files: Files, path: string, text: string, { sync = false } = {}): Promise<void> {
  const file = await files.create(path);
  await file.write(Buffer.from(text));
  if (sync) await file.sync();
  await file.close();
}

const text = (files: Files, path: string): Promise<string> =>
  files.read(path).then(
    (bytes) => Buffer.from(bytes).toString(),
    () => 'nothing',
  );

/** What `look` finds after crashes of the same files that chance decided differently. */
async function outcomes<T>(make: () => Promise<MemoryFiles>, look: (files: MemoryFiles) => Promise<T>): Promise<Set<T>> {
  const found = new Set<T>();
  for (let seed = 0; seed < 300; seed += 1) found.add(await look((await make()).crash(seededRandom(seed))));
  return found;
}

describe('a crash of MemoryFiles', () => {
  let files: MemoryFiles;
  beforeEach(async () => {
    files = new MemoryFiles({ clock });
    await files.makeFolder('/a');
    await files.makeFolder('/b');
    await files.syncFolder('/');
  });
  /** The same again, for a crash of its own. */
  const again = (act: (files: MemoryFiles) => Promise<void>) => async (): Promise<MemoryFiles> => {
    const made = new MemoryFiles({ clock });
    for (const folder of ['/a', '/b']) await made.makeFolder(folder);
    await made.syncFolder('/');
    await act(made);
    return made;
  };

  it('leaves what was synced', async () => {
    await write(files, '/a/x', 'content', { sync: true });
    await files.syncFolder('/a');
    for (let seed = 0; seed < 50; seed += 1) {
      files = files.crash(seededRandom(seed));
      expect(await text(files, '/a/x')).toBe('content');
      expect(await files.list('/')).toEqual(['a', 'b']);
    }
  });

  it('leaves a name without its folder synced or not, and tears content that was not synced', async () => {
    const unsynced = again((made) => write(made, '/a/x', 'ab'));
    expect(await outcomes(unsynced, (left) => text(left, '/a/x'))).toEqual(
      new Set(['nothing', '', 'a', 'ab', 'a\u0000', '\u0000', '\u0000\u0000']),
    );
    const synced = again((made) => write(made, '/a/x', 'ab', { sync: true }));
    expect(await outcomes(synced, (left) => text(left, '/a/x'))).toEqual(new Set(['nothing', 'ab']));
  });

  it('never loses the beginning that was synced', async () => {
    const make = again(async (made) => {
      const file = await made.create('/a/x');
      await file.write(Buffer.from('ab'));
      await file.sync();
      await made.syncFolder('/a');
      await file.write(Buffer.from('cd'));
    });
    const found = await outcomes(make, (left) => text(left, '/a/x'));
    expect([...found].every((content) => content.startsWith('ab'))).toBe(true);
    expect(found.size).toBeGreaterThan(3);
  });

  it('lets a rename survive without the content, or not survive', async () => {
    const make = again(async (made) => {
      await write(made, '/a/draft', 'x');
      await made.rename('/a/draft', '/a/final');
      await made.syncFolder('/a');
    });
    expect(await outcomes(make, (left) => text(left, '/a/final'))).toEqual(new Set(['', 'x', '\u0000']));
    const moved = again(async (made) => {
      await write(made, '/a/x', 'x', { sync: true });
      await made.syncFolder('/a');
      await made.rename('/a/x', '/b/x');
    });
    const where = async (left: MemoryFiles): Promise<string> => `${await text(left, '/a/x')} ${await text(left, '/b/x')}`;
    expect(await outcomes(moved, where)).toEqual(new Set(['x nothing', 'nothing x']));
  });

  it('lets a later operation survive without an earlier one', async () => {
    const make = again(async (made) => {
      await write(made, '/a/x', 'x', { sync: true });
      await made.syncFolder('/a');
      await write(made, '/a/1', '', { sync: true });
      await made.remove('/a/x');
    });
    const names = await outcomes(make, async (left) => (await left.list('/a')).join());
    expect(names).toEqual(new Set(['1', '', 'x', '1,x']));
  });

  it('keeps a folder in which something was synced', async () => {
    const make = again(async (made) => {
      await made.makeFolder('/a/new/inner');
      await write(made, '/a/new/inner/x', 'x', { sync: true });
      await made.syncFolder('/a/new/inner');
    });
    expect(await outcomes(make, (left) => text(left, '/a/new/inner/x'))).toEqual(new Set(['x']));
  });

  it('keeps the names of a file together', async () => {
    await write(files, '/a/x', 'content');
    await files.link('/a/x', '/b/y');
    for (const folder of ['/a', '/b']) await files.syncFolder(folder);
    files = files.crash(seededRandom(3));
    expect(await text(files, '/a/x')).toBe(await text(files, '/b/y'));
    const file = await files.create('/a/z');
    await files.link('/a/z', '/b/z');
    await file.write(Buffer.from('later'));
    expect(await text(files, '/b/z')).toBe('later');
  });

  it('leaves everything that the kernel has had time for', async () => {
    await write(files, '/a/x', 'content');
    await clock.run(clock.sleep(31_000));
    for (let seed = 0; seed < 20; seed += 1) {
      const left = seed % 2 ? files : files.shared();
      files = left.crash(seededRandom(seed));
      expect(await text(files, '/a/x')).toBe('content');
    }
  });

  it('ends the files of all processes of the machine, and what they have begun', async () => {
    const name = files.uniqueName();
    let proceed = (): void => {};
    const slow = files.shared(() => new Promise((resolve) => (proceed = resolve)));
    const begun = slow.makeFolder('/a/late');
    const left = files.crash(seededRandom(1));
    proceed();
    await expect(begun).rejects.toMatchObject({ code: 'EIO' });
    await expect(files.list('/')).rejects.toMatchObject({ code: 'EIO' });
    expect(await left.list('/a')).toEqual([]);
    expect(left.uniqueName()).not.toBe(name);
  });

  it('is the same for the same random numbers', async () => {
    const tree = async (from: Files, folder = '/'): Promise<string> => {
      const lines = (await from.list(folder)).map(async (name) => {
        const path = `${folder}${name}`;
        return (await from.stat(path)).isFile ? `${path}: ${await text(from, path)}` : tree(from, `${path}/`);
      });
      return (await Promise.all(lines)).join('\n');
    };
    const name = fc.constantFrom('/a/x', '/a/y', '/b/x', '/b/y', '/a/f/x', '/a/f', '/b/f');
    const step = fc.tuple(fc.constantFrom('write', 'rename', 'link', 'remove', 'sync', 'folder'), name, name);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(), async (steps, seed) => {
        const act = again(async (made) => {
          for (const [what, path, to] of steps) {
            const work = {
              ...{ write: () => write(made, path, what), rename: () => made.rename(path, to), link: () => made.link(path, to) },
              ...{ remove: () => made.remove(path), sync: () => made.syncFolder(path), folder: () => made.makeFolder(path) },
            };
            await work[what as keyof typeof work]().catch(() => {});
          }
        });
        const [one, other] = [(await act()).crash(seededRandom(seed)), (await act()).crash(seededRandom(seed))];
        expect(await tree(one)).toBe(await tree(other));
        // All of it is on the disk now.
        expect(await tree(one.crash(seededRandom(seed + 1)))).toBe(await tree(other));
      }),
    );
  });
});

describe('faults of MemoryFiles', () => {
  it('are what the hook throws, before anything is done', async () => {
    const seen: FileOperation[] = [];
    const files = new MemoryFiles({
      clock,
      before: (operation) => {
        seen.push(operation);
        if (operation.name === 'write') throw fileError('ENOSPC', 'write', operation.path);
      },
    });
    const file = await files.create('/x');
    await expect(file.write(Buffer.from('y'))).rejects.toMatchObject({ code: 'ENOSPC', message: "ENOSPC: write '/x'" });
    expect(await text(files, '/x')).toBe('');
    await files.rename('/x', '/z');
    expect(seen).toEqual([
      { name: 'create', path: '/x' },
      { name: 'write', path: '/x' },
      { name: 'read', path: '/x' },
      { name: 'rename', path: '/x', to: '/z' },
    ]);
  });

  it('may be that an operation takes long', async () => {
    const slow = new MemoryFiles({ clock, before: () => clock.sleep(5) });
    const start = clock.monotonic();
    await clock.run(write(slow, '/x', 'y'));
    expect(clock.monotonic() - start).toBe(10);
  });
});
