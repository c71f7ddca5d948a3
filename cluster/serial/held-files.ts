import type { Files, FileWriter } from '../../src/files/files.ts';

/**
 * Files of the world outside for nodes on virtual time: it stands still during each operation, since how long a disk takes must decide
 * nothing. Operations end one after the other, in the order in which they began.
 * @param hold - of the virtual clock
 */
export function heldFiles(files: Files, hold: <T>(work: Promise<T>) => Promise<T>): Files {
  const held =
    <A extends unknown[], R>(operation: (...given: A) => Promise<R>) =>
    (...given: A): Promise<R> =>
      hold(operation(...given));
  const heldWriter = (file: FileWriter): FileWriter => ({
    write: held((bytes) => file.write(bytes)),
    sync: held(() => file.sync()),
    close: held(() => file.close()),
  });
  return {
    read: held((path) => files.read(path)),
    async *pieces(path) {
      const pieces = files.pieces(path)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await hold(pieces.next());
          if (next.done) return;
          yield next.value;
        }
      } finally {
        if (pieces.return) await hold(pieces.return());
      }
    },
    create: async (path, mode) => heldWriter(await hold(files.create(path, mode))),
    makeFolder: held((path, mode) => files.makeFolder(path, mode)),
    rename: held((from, to) => files.rename(from, to)),
    link: held((file, name) => files.link(file, name)),
    remove: held((path) => files.remove(path)),
    list: held((folder) => files.list(folder)),
    stat: held((path) => files.stat(path)),
    touch: held((path) => files.touch(path)),
    syncFolder: held((path) => files.syncFolder(path)),
    freeBytes: held((folder) => files.freeBytes(folder)),
    uniqueName: () => files.uniqueName(),
  };
}
