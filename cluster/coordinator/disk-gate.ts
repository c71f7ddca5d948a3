import type { NodeContext } from '../runtime/context.ts';
import type { FullDisk } from '../../src/protocol/progress.ts';
import { fullDiskText, isFull, NEEDED_BYTES } from '../infra/disk-room.ts';

/** Options of {@link DiskGate}. */
export interface DiskGateOptions {
  /** Bytes that are free on the disk of a folder. Default: what the node's files say. */
  readonly free?: (folder: string) => Promise<number | undefined>;
}

const CODE = 'DISK_FULL';

/**
 * Holds a job's new requests back while the disk of the state folder has hardly any room: every request ends in messages, rows and
 * weights that must be written. What is under way goes on, and so does the job once there is room again.
 */
export class DiskGate {
  readonly #context: NodeContext;
  readonly #job: string;
  readonly #free: (folder: string) => Promise<number | undefined>;
  #full: FullDisk | undefined;
  /** A life of the job's actor before this one may have reported a full disk, and was ended by it. */
  #mayBeReported = true;

  constructor(context: NodeContext, job: string, { free = (folder) => context.files.freeBytes(folder) }: DiskGateOptions = {}) {
    this.#context = context;
    this.#job = job;
    this.#free = free;
  }

  /** How little room there is, while that holds requests back. */
  get full(): FullDisk | undefined {
    return this.#full;
  }

  async check(): Promise<void> {
    const { stateDir, notices, log, metrics } = this.#context;
    const free = await this.#free(stateDir);
    const before = this.#full;
    this.#full = isFull(before !== undefined, free)
      ? { folder: stateDir, freeBytes: free!, neededBytes: NEEDED_BYTES }
      : undefined;
    if (free !== undefined) metrics.set('disk_free_bytes', {}, free);
    // Not waited for: on a full disk the bus may not answer for a while.
    if (this.#full && !before) {
      const message = `${fullDiskText(this.#full)}: no new requests until there is; free some room, nothing is lost meanwhile`;
      log.warn({ job: this.#job, ...this.#full }, message);
      this.#mayBeReported = true;
      void notices.report(this.#job, { code: CODE, message });
    } else if (!this.#full && this.#mayBeReported) {
      if (before) log.info({ job: this.#job, free }, 'there is room on the disk again: requests go on');
      this.#mayBeReported = false;
      void notices.resolve(this.#job, CODE);
    }
  }
}
