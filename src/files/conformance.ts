import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PIECE_BYTES, type Files } from './files.ts';

/** Files to test, and an empty folder in them. */
export interface FilesHarness {
  files: Files;
  folder: string;
  close(): Promise<void>;
}

/** What every Files must do. Call it inside a test file; one harness is made for each test. */
export function filesConformance(name: string, open: () => Promise<FilesHarness>): void {
  describe(`${name} is a Files`, () => {
    let harness: FilesHarness;
    let files: Files;
    const at = (...names: string[]): string => join(harness.folder, ...names);
    beforeEach(async () => {
      harness = await open();
      files = harness.files;
    });
    afterEach(() => harness.close());

    async function write(path: string, ...pieces: string[]): Promise<void> {
      const file = await files.create(path, 0o600);
      for (const piece of pieces) await file.write(Buffer.from(piece));
      await file.sync();
      await file.close();
    }
    const text = async (path: string): Promise<string> => Buffer.from(await files.read(path)).toString();
    const fails = (work: Promise<unknown>, code: string) => expect(work).rejects.toMatchObject({ code });

    it('reads what was written', async () => {
      await write(at('a'), 'one', '', ' two');
      expect(await text(at('a'))).toBe('one two');
      expect(await files.stat(at('a'))).toMatchObject({ isFile: true, size: 7 });
      expect((await files.stat(harness.folder)).isFile).toBe(false);
      await write(at('empty'));
      expect(await text(at('empty'))).toBe('');
    });

    it('reads in pieces', async () => {
      await write(at('large'), 'x'.repeat(PIECE_BYTES), 'y'.repeat(PIECE_BYTES), 'z');
      const pieces: Uint8Array[] = [];
      for await (const piece of files.pieces(at('large'))) pieces.push(piece);
      expect(Math.max(...pieces.map(({ byteLength }) => byteLength))).toBeLessThanOrEqual(PIECE_BYTES);
      expect(Buffer.concat(pieces).equals(await files.read(at('large')))).toBe(true);
      const missing = files.pieces(at('none'))[Symbol.asyncIterator]();
      await fails(missing.next(), 'ENOENT');
    });

    it('keeps its content when the caller changes the bytes', async () => {
      const given = Buffer.from('before');
      const file = await files.create(at('a'));
      await file.write(given);
      await file.close();
      given.fill(0);
      (await files.read(at('a'))).fill(0);
      for await (const piece of files.pieces(at('a'))) piece.fill(0);
      expect(await text(at('a'))).toBe('before');
    });

    it('makes no file where something is, nor where no folder is', async () => {
      await write(at('a'), 'kept');
      await files.makeFolder(at('f'));
      await fails(files.create(at('a')), 'EEXIST');
      await fails(files.create(at('f')), 'EEXIST');
      await fails(files.create(at('none', 'a')), 'ENOENT');
      await fails(files.create(at('a', 'b')), 'ENOTDIR');
      expect(await text(at('a'))).toBe('kept');
    });

    it('says what cannot be read', async () => {
      await write(at('a'), 'x');
      await fails(files.read(at('none')), 'ENOENT');
      await fails(files.read(harness.folder), 'EISDIR');
      await fails(files.stat(at('none')), 'ENOENT');
      await fails(files.stat(at('a', 'b')), 'ENOTDIR');
      await fails(files.list(at('none')), 'ENOENT');
      await fails(files.list(at('a')), 'ENOTDIR');
      await fails(files.syncFolder(at('none')), 'ENOENT');
    });

    it('makes folders with their parents', async () => {
      await files.makeFolder(at('f', 'g', 'h'), 0o700);
      await files.makeFolder(at('f', 'g'));
      await write(at('f', 'g', 'h', 'a'), 'x');
      expect(await files.list(at('f', 'g'))).toEqual(['h']);
      await fails(files.makeFolder(at('f', 'g', 'h', 'a')), 'EEXIST');
      await fails(files.makeFolder(at('f', 'g', 'h', 'a', 'b')), 'ENOTDIR');
    });

    it('lists names in one order', async () => {
      for (const name of ['b', 'B', 'a', '.c', 'ä', 'v10', 'v9']) await write(at(name), '');
      await files.makeFolder(at('d'));
      expect(await files.list(harness.folder)).toEqual(['.c', 'B', 'a', 'b', 'd', 'v10', 'v9', 'ä']);
    });

    it('moves a file, also onto another', async () => {
      await write(at('a'), 'new');
      await write(at('b'), 'old');
      await files.makeFolder(at('f'));
      await files.rename(at('a'), at('b'));
      await files.rename(at('b'), at('f', 'c'));
      expect(await text(at('f', 'c'))).toBe('new');
      expect(await files.list(harness.folder)).toEqual(['f']);
      await fails(files.rename(at('none'), at('x')), 'ENOENT');
      await fails(files.rename(at('f', 'c'), at('none', 'c')), 'ENOENT');
      await files.makeFolder(at('g'));
      await fails(files.rename(at('f', 'c'), at('g')), 'EISDIR');
    });

    it('moves a folder, but onto none that holds something', async () => {
      await files.makeFolder(at('f'));
      await write(at('f', 'a'), 'x');
      await files.makeFolder(at('empty'));
      await files.rename(at('f'), at('empty'));
      expect(await text(at('empty', 'a'))).toBe('x');
      await files.makeFolder(at('g'));
      await fails(files.rename(at('g'), at('empty')), 'ENOTEMPTY');
      await fails(files.rename(at('g'), at('empty', 'a')), 'ENOTDIR');
      await fails(files.rename(at('g'), at('g', 'inside')), 'EINVAL');
      expect(await files.list(harness.folder)).toEqual(['empty', 'g']);
    });

    it('links names to one content', async () => {
      await write(at('a'), 'shared');
      await files.link(at('a'), at('b'));
      await fails(files.link(at('a'), at('b')), 'EEXIST');
      await fails(files.link(at('none'), at('c')), 'ENOENT');
      await fails(files.link(at('a'), at('none', 'c')), 'ENOENT');
      await files.remove(at('a'));
      expect(await text(at('b'))).toBe('shared');
      // Moving a name onto another of the same content changes nothing.
      await files.link(at('b'), at('c'));
      await files.rename(at('b'), at('c'));
      expect(await files.list(harness.folder)).toEqual(['b', 'c']);
    });

    it('removes files and whole folders, and does not mind when there is nothing', async () => {
      await files.makeFolder(at('f', 'g'));
      await write(at('f', 'g', 'a'), 'x');
      await write(at('b'), 'x');
      for (const name of ['f', 'b', 'none']) await files.remove(at(name));
      await files.remove(at('none', 'a'));
      expect(await files.list(harness.folder)).toEqual([]);
    });

    it('knows when a file was written, whatever it is called', async () => {
      await write(at('a'), 'x');
      const { mtimeMs } = await files.stat(at('a'));
      await files.rename(at('a'), at('b'));
      expect((await files.stat(at('b'))).mtimeMs).toBe(mtimeMs);
      await files.touch(at('b'));
      // To the millisecond, as it is written; the file system itself may be finer.
      expect((await files.stat(at('b'))).mtimeMs).toBeGreaterThanOrEqual(Math.floor(mtimeMs));
      await fails(files.touch(at('none')), 'ENOENT');
    });

    it('writes on to a file that was moved or removed meanwhile', async () => {
      const file = await files.create(at('a'));
      await file.write(Buffer.from('one'));
      await files.rename(at('a'), at('b'));
      await file.write(Buffer.from('two'));
      expect(await text(at('b'))).toBe('onetwo');
      await files.remove(at('b'));
      await file.write(Buffer.from('three'));
      await file.sync();
      await file.close();
      expect(await files.list(harness.folder)).toEqual([]);
    });

    it('syncs folders, and gives names that differ', async () => {
      await write(at('a'), 'x');
      await files.syncFolder(harness.folder);
      const unique = Array.from({ length: 100 }, () => files.uniqueName());
      expect(new Set(unique).size).toBe(100);
      for (const one of unique) expect(one).toMatch(/^[\w-]+$/);
    });
  });
}
