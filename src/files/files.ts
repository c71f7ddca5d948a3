/** What {@link Files.stat} says about a path. */
export interface FileInfo {
  isFile: boolean;
  /** Bytes of a file; means nothing for a folder. */
  size: number;
  /** When it was last written or touched, in Unix milliseconds. */
  mtimeMs: number;
}

/** A file that is being written. */
export interface FileWriter {
  /** Appends. */
  write(bytes: Uint8Array): Promise<void>;
  /** What was written outlasts a crash of the machine when this resolves; the file's name does not, see {@link Files.syncFolder}. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Port: the file system under checkpoints and artifacts, with as much of POSIX as they need. Paths are absolute.
 *
 * Every method throws what Node.js throws: an Error whose `code` is `ENOENT`, `EEXIST`, `ENOTDIR`, `ENOSPC` and so on. Users of the port
 * know what such an error means for them and make it a MillraceError.
 */
export interface Files {
  /** The whole content of a file. */
  read(path: string): Promise<Uint8Array>;
  /** The content of a file in pieces of up to {@link PIECE_BYTES}. Errors are thrown by the iteration. */
  pieces(path: string): AsyncIterable<Uint8Array>;
  /** Makes an empty file to write to; `EEXIST` when there is something. @param mode - its permissions. Default: as the process makes files */
  create(path: string, mode?: number): Promise<FileWriter>;
  /** Makes a folder with its parents; one that is there is no error. @param mode - permissions of those that are made */
  makeFolder(path: string, mode?: number): Promise<void>;
  /** Moves a file or folder. It replaces a file, or an empty folder; `ENOTEMPTY` when `to` is a folder that holds something. */
  rename(from: string, to: string): Promise<void>;
  /** Gives a file one more name; `EEXIST` when there is something. */
  link(file: string, name: string): Promise<void>;
  /** Deletes a file, or a folder with everything in it; what is not there is no error. */
  remove(path: string): Promise<void>;
  /** Names in a folder, sorted by UTF-16 code units. */
  list(folder: string): Promise<string[]>;
  /** `ENOENT` when there is nothing. */
  stat(path: string): Promise<FileInfo>;
  /** Makes now the time of a file. */
  touch(path: string): Promise<void>;
  /** The names in a folder outlast a crash of the machine when this resolves: those that were made, and the absence of those removed. */
  syncFolder(path: string): Promise<void>;
  /** Bytes that are free on the disk of a folder; undefined where that cannot be told. */
  freeBytes(folder: string): Promise<number | undefined>;
  /** A file name that nobody else who uses these files is given. */
  uniqueName(): string;
}

/** Bytes of a file that are read at a time. */
export const PIECE_BYTES = 1 << 20;

/** Whether an error of {@link Files} says that there is nothing at the path. */
export function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Names in a folder, as {@link Files.list}; none when it cannot be read. */
export function namesIn(files: Pick<Files, 'list'>, folder: string): Promise<string[]> {
  return files.list(folder).catch(() => []);
}
