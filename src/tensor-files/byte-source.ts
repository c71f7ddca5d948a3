/** Bytes of a file, read where they are needed: files of models are larger than what should be in memory at once. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { MillraceError } from '../errors.ts';

/** A file, open for reading. */
export interface ByteSource {
  /** What errors call it: its path. */
  readonly name: string;
  /** Bytes in it when it was opened. */
  readonly size: number;
  /** `length` bytes from `offset`; `data_loss` when the file does not have them: nothing is allocated then. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a file of this machine. `not_found` when there is none, `invalid_argument` when it is no file or may not be read. */
export async function openFile(path: string): Promise<ByteSource> {
  // Without O_NONBLOCK, opening a named pipe would wait for somebody who writes to it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  const stats = await file.stat();
  if (!stats.isFile()) {
    await file.close();
    throw new MillraceError('invalid_argument', `${path} is not a file`);
  }
  const { size } = stats;
  return {
    name: path,
    size,
    close: () => file.close(),
    async read(offset, length) {
      checkRange(path, size, { offset, length });
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw new MillraceError('data_loss', `${path} became shorter while it was read`);
        done += bytesRead;
      }
      return bytes;
    },
  };
}

/** Bytes in memory as a file. */
export function memorySource(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    size: bytes.length,
    close: () => Promise.resolve(),
    async read(offset, length) {
      checkRange(name, bytes.length, { offset, length });
      return bytes.slice(offset, offset + length);
    },
  };
}

/** All of a file that should be small. `data_loss` when it has more than `limit` bytes. Other errors: {@link openFile}. */
export async function readSmallFile(path: string, limit: number): Promise<Uint8Array> {
  const file = await openFile(path);
  try {
    if (file.size > limit) throw new MillraceError('data_loss', `${path} has ${file.size} bytes; at most ${limit} are expected`);
    return await file.read(0, file.size);
  } finally {
    await file.close();
  }
}

function checkRange(name: string, size: number, { offset, length }: { offset: number; length: number }): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (valid && offset + length <= size) return;
  throw new MillraceError('data_loss', `${name} is cut off: it has ${size} bytes, ${length} are needed at ${offset}`);
}

function unreadable(path: string, error: unknown): MillraceError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new MillraceError('not_found', `there is no file ${path}`, { cause: error });
  return new MillraceError('invalid_argument', `${path} cannot be read: ${message}`, { cause: error });
}
