import type { FullDisk } from '../../src/protocol/progress.ts';

const MIB = 1024 * 1024;

/** Room on the disk of the state folder that there must be before more work is given out, or nats-server is started again. */
export const NEEDED_BYTES = 64 * MIB;
/** With less than this no new work is given out: what is under way still has to be written. */
export const SCARCE_BYTES = 48 * MIB;

/** Whether the disk has too little room, given whether it had before. */
export function isFull(before: boolean, free: number | undefined): boolean {
  return free !== undefined && free < (before ? NEEDED_BYTES : SCARCE_BYTES);
}

/** "the disk of /x/.millrace has 12 MiB free, and 64 MiB are needed". */
export function fullDiskText({ folder, freeBytes: free, neededBytes }: FullDisk): string {
  return `the disk of ${folder} has ${Math.floor(free / MIB)} MiB free, and ${Math.ceil(neededBytes / MIB)} MiB are needed`;
}
