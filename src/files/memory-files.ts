import type { Clock } from '../clock/clock.ts';
import type { Random } from '../random/random.ts';
import { PIECE_BYTES, type FileInfo, type Files, type FileWriter } from './files.ts';
import { FileNode, FolderNode, MemoryDisk, type DiskNode } from './memory-disk.ts';

/** Something that is about to be done to {@link MemoryFiles}. */
export interface FileOperation {
  name:
    'read' | 'create' | 'write' | 'sync' | 'makeFolder' | 'rename' | 'link' | 'remove' | 'list' | 'stat' | 'touch' | 'syncFolder';
  path: string;
  /** The other path of a rename or link. */
  to?: string;
}

/** Called before each operation, which waits for it. An error that it throws is the operation's, which then does nothing: {@link fileError}. */
export type BeforeOperation = (operation: FileOperation) => Promise<void> | void;

/** Options of {@link MemoryFiles}. */
export type MemoryFilesOptions = {
  /** Default: nothing. */
  before?: BeforeOperation | undefined;
} & (
  | {
      /** Of the times of files on an empty disk. */
      clock: Pick<Clock, 'now'>;
    }
  | {
      /** What a crash has left of others or is shared with them. */
      disk: MemoryDisk;
    }
);

/**
 * Files in the memory of this process, which can crash as a machine does. They do no input or output and wait for nothing but microtasks, so that
 * a simulation repeats itself.
 *
 * What a crash leaves follows from what was synced, and else from chance:
 *
 * - Content that its writer synced is there. Of what was written since, any part is there: nothing, the beginning, the beginning and then zeros (the
 *   length got to the disk, the content did not), or all.
 * - Names of a synced folder are as they were at the sync, and the folder itself is where it was: local file systems write down a new folder
 *   before what is in it. Of the operations since, each has survived or has not, whatever became of those before it. So a file may be there
 *   under the name that it was given last, but without its content.
 * - A rename is one operation, both names or neither, until one of its two folders is synced: its other half is left to chance.
 *   Removing a folder is many operations, one for each name in it.
 * - After 30 s on the clock everything is on the disk, as the kernel sees to it.
 */
export class MemoryFiles implements Files {
  readonly #disk: MemoryDisk;
  readonly #before: BeforeOperation;

  constructor(options: MemoryFilesOptions) {
    this.#before = options.before ?? (() => {});
    this.#disk = 'disk' in options ? options.disk : new MemoryDisk(options.clock);
  }

  /** The same files for another process, with faults of its own. */
  shared(before?: BeforeOperation): MemoryFiles {
    return new MemoryFiles({ before, disk: this.#disk });
  }

  /**
   * The machine stops and starts again. These files and those that share their disk are gone: all that is done to them from now on fails with `EIO`, and so
   * does what has been begun.
   *
   * @param random - decides what is left of what was not synced
   * @returns the files after the start
   */
  crash(random: Random, before?: BeforeOperation): MemoryFiles {
    return new MemoryFiles({ before, disk: this.#disk.crash(random) });
  }

  read(path: string): Promise<Uint8Array> {
    return this.#run({ name: 'read', path }, () => Buffer.from(this.#file(path, 'open').content));
  }

  async *pieces(path: string): AsyncIterable<Uint8Array> {
    const file = await this.#run({ name: 'read', path }, () => this.#file(path, 'open'));
    for (let from = 0; from < file.content.byteLength; from += PIECE_BYTES) {
      this.#checkAlive(path);
      yield Buffer.from(file.content.subarray(from, from + PIECE_BYTES));
    }
  }

  create(path: string): Promise<FileWriter> {
    return this.#run({ name: 'create', path }, () => {
      const { folder, name } = this.#place(path, 'open');
      if (folder.names.has(name)) throw fileError('EEXIST', 'open', path);
      const file = new FileNode(this.#disk.now());
      this.#disk.change([folder, name, file]);
      return this.#writer(path, file);
    });
  }

  #writer(path: string, file: FileNode): FileWriter {
    return {
      write: (bytes) => {
        const given = Buffer.from(bytes);
        return this.#run({ name: 'write', path }, () => {
          file.content = Buffer.concat([file.content, given]);
          file.mtimeMs = this.#disk.now();
        });
      },
      sync: () => this.#run({ name: 'sync', path }, () => void (file.synced = file.content.byteLength)),
      close: () => Promise.resolve(),
    };
  }

  makeFolder(path: string): Promise<void> {
    return this.#run({ name: 'makeFolder', path }, () => {
      let folder = this.#disk.root;
      const names = namesOf(path);
      for (const [i, name] of names.entries()) {
        let next = folder.names.get(name);
        if (next === undefined) this.#disk.change([folder, name, (next = new FolderNode())]);
        if (next instanceof FileNode) throw fileError(i === names.length - 1 ? 'EEXIST' : 'ENOTDIR', 'mkdir', path);
        folder = next;
      }
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run({ name: 'rename', path: from, to }, () => {
      const [source, target] = [this.#place(from, 'rename'), this.#place(to, 'rename')];
      const node = source.folder.names.get(source.name);
      const replaced = target.folder.names.get(target.name);
      const refuse = (code: string): Error => fileError(code, 'rename', from, to);
      if (node === undefined) throw refuse('ENOENT');
      if (node === replaced) return;
      if (target.way.some(({ folder }) => folder === node)) throw refuse('EINVAL');
      if (node instanceof FolderNode && replaced instanceof FileNode) throw refuse('ENOTDIR');
      if (node instanceof FileNode && replaced instanceof FolderNode) throw refuse('EISDIR');
      if (replaced instanceof FolderNode && replaced.names.size > 0) throw refuse('ENOTEMPTY');
      this.#disk.change([source.folder, source.name, undefined], [target.folder, target.name, node]);
    });
  }

  link(file: string, name: string): Promise<void> {
    return this.#run({ name: 'link', path: file, to: name }, () => {
      const node = this.#node(file, 'link');
      const target = this.#place(name, 'link');
      if (target.folder.names.has(target.name)) throw fileError('EEXIST', 'link', file, name);
      if (node instanceof FolderNode) throw fileError('EPERM', 'link', file, name);
      this.#disk.change([target.folder, target.name, node]);
    });
  }

  remove(path: string): Promise<void> {
    return this.#run({ name: 'remove', path }, () => {
      const empty = (folder: FolderNode): void => {
        for (const [name, node] of [...folder.names]) drop(folder, name, node);
      };
      const drop = (folder: FolderNode, name: string, node: DiskNode): void => {
        if (node instanceof FolderNode) empty(node);
        this.#disk.change([folder, name, undefined]);
      };
      const place = missingIs(undefined, () => this.#place(path, 'rm'));
      const node = place?.folder.names.get(place.name);
      if (node !== undefined) drop(place!.folder, place!.name, node);
    });
  }

  list(folder: string): Promise<string[]> {
    return this.#run({ name: 'list', path: folder }, () => [...this.#way(folder, 'scandir').at(-1)!.folder.names.keys()].sort());
  }

  stat(path: string): Promise<FileInfo> {
    return this.#run({ name: 'stat', path }, () => {
      const node = this.#node(path, 'stat');
      if (node instanceof FolderNode) return { isFile: false, size: 0, mtimeMs: 0 };
      return { isFile: true, size: node.content.byteLength, mtimeMs: node.mtimeMs };
    });
  }

  touch(path: string): Promise<void> {
    return this.#run({ name: 'touch', path }, () => void (this.#file(path, 'utime').mtimeMs = this.#disk.now()));
  }

  syncFolder(path: string): Promise<void> {
    return this.#run({ name: 'syncFolder', path }, () => this.#disk.syncFolder(this.#way(path, 'open')));
  }

  /** Memory has no such limit. */
  freeBytes(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  uniqueName(): string {
    return this.#disk.uniqueName();
  }

  async #run<T>(operation: FileOperation, act: () => T): Promise<T> {
    this.#checkAlive(operation.path);
    await this.#before(operation);
    this.#checkAlive(operation.path);
    return act();
  }

  #checkAlive(path: string): void {
    if (this.#disk.crashed) throw fileError('EIO', 'crashed machine', path);
  }

  /** The folders from the root to `path`, which is one, too. */
  #way(path: string, call: string): { folder: FolderNode; name: string }[] {
    const way = [{ folder: this.#disk.root, name: '' }];
    for (const name of namesOf(path)) {
      const next = way.at(-1)!.folder.names.get(name);
      if (next === undefined) throw fileError('ENOENT', call, path);
      if (next instanceof FileNode) throw fileError('ENOTDIR', call, path);
      way.push({ folder: next, name });
    }
    return way;
  }

  /** The folder that has `path` in it, or would have. */
  #place(path: string, call: string): { folder: FolderNode; name: string; way: { folder: FolderNode }[] } {
    const names = namesOf(path);
    const name = names.pop();
    if (name === undefined) throw fileError('EBUSY', call, path);
    const way = this.#way(`/${names.join('/')}`, call);
    return { folder: way.at(-1)!.folder, name, way };
  }

  #node(path: string, call: string): DiskNode {
    if (namesOf(path).length === 0) return this.#disk.root;
    const { folder, name } = this.#place(path, call);
    const node = folder.names.get(name);
    if (node === undefined) throw fileError('ENOENT', call, path);
    return node;
  }

  #file(path: string, call: string): FileNode {
    const node = this.#node(path, call);
    if (node instanceof FileNode) return node;
    throw fileError('EISDIR', call, path);
  }
}

/** An error as the file system throws it, e.g. `fileError('ENOSPC', 'write', path)`. */
export function fileError(code: string, call: string, path: string, to?: string): NodeJS.ErrnoException {
  const message = `${code}: ${call} '${path}'${to === undefined ? '' : ` -> '${to}'`}`;
  return Object.assign(new Error(message), { code, syscall: call, path });
}

function namesOf(path: string): string[] {
  if (!path.startsWith('/')) throw fileError('EINVAL', 'absolute path needed', path);
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function missingIs<T>(instead: T, look: () => T): T {
  try {
    return look();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return instead;
    throw thrown;
  }
}
