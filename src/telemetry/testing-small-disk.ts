import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A disk of a few megabytes that a test can fill. */
export interface SmallDisk {
  readonly path: string;
  /** Leaves no byte free. */
  fill(): void;
  /** Removes what `fill` wrote. */
  clear(): void;
  unmount(): void;
}

/** Mounts a disk in memory at `path`, which is made; undefined where that is not permitted. */
export function mountSmallDisk(path: string, megabytes: number): SmallDisk | undefined {
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'millrace-test', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const filler = join(path, 'fill');
  return {
    path,
    fill() {
      const fd = openSync(filler, 'a');
      try {
        for (let size = 1024 * 1024; size >= 512;) {
          const zeros = Buffer.alloc(size);
          try {
            while (writeSync(fd, zeros) === size);
            size /= 2;
          } catch {
            size /= 2;
          }
        }
      } finally {
        closeSync(fd);
      }
    },
    clear: () => rmSync(filler, { force: true }),
    // Whatever still has a file of it open keeps the memory until it ends.
    unmount: () => void execFileSync('umount', ['-l', path]),
  };
}
