import type { Clock } from '../../src/clock/clock.ts';
import type { Logger } from '../../src/telemetry/log.ts';
import { nodeFiles } from '../../src/files/node-files.ts';
import { fullDiskText, isFull, NEEDED_BYTES } from '../infra/disk-room.ts';

const LOOK_MS = 2_000;

/** Options of {@link watchDisk}. */
export interface DiskWatchOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told in words when there is hardly any room, and when there is again. */
  readonly onChange?: ((text: string) => void) | undefined;
  /** Bytes that are free on the disk of a folder. Default: the file system's answer. */
  readonly free?: (folder: string) => Promise<number | undefined>;
}

/** Says when the disk of the state folder is full, whether or not a job runs and nats-server answers. Returns what stops it. */
export function watchDisk({
  folder,
  clock,
  log,
  onChange,
  free = (path) => nodeFiles.freeBytes(path),
}: DiskWatchOptions): () => void {
  let full = false;
  const look = async (): Promise<void> => {
    const room = await free(folder);
    const was = full;
    full = isFull(was, room);
    if (full === was) return;
    const text = full
      ? `${fullDiskText({ folder, freeBytes: room!, neededBytes: NEEDED_BYTES })}; the cluster waits, free some and it goes on`
      : `there is room on the disk of ${folder} again`;
    log.warn({ folder, free: room }, text);
    onChange?.(text);
  };
  return clock.every(LOOK_MS, () => void look());
}
