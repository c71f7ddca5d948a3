import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import { PIECE_BYTES, type Files } from './files.ts';

/** The file system of this machine. */
export const nodeFiles: Files = {
  read: (path) => readFile(path),
  pieces: (path) => createReadStream(path, { highWaterMark: PIECE_BYTES }),
  async create(path, mode) {
    const file = await open(path, 'wx', mode);
    return { write: (bytes) => file.writeFile(bytes), sync: () => file.sync(), close: () => file.close() };
  },
  async makeFolder(path, mode) {
    await mkdir(path, { recursive: true, mode });
  },
  rename,
  link,
  remove: (path) => rm(path, { recursive: true, force: true }),
  list: async (folder) => (await readdir(folder)).sort(),
  async stat(path) {
    const found = await stat(path);
    return { isFile: found.isFile(), size: found.size, mtimeMs: found.mtimeMs };
  },
  async touch(path) {
    const now = new Date();
    await utimes(path, now, now);
  },
  async syncFolder(path) {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  async freeBytes(folder) {
    const disk = await statfs(folder).catch(() => undefined);
    return disk && disk.bavail * disk.bsize;
  },
  uniqueName: randomUUID,
};
