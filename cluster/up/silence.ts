import { readFileSync } from 'node:fs';

/** What the kernel says of a process's main thread. */
export interface ThreadUse {
  /** One letter: R runs or would like to, S waits, D waits for the disk, T is stopped. */
  state: string;
  /** Processor time it has used, in ms. */
  cpuMs: number;
}

/**
 * For how long a process that does not answer could have answered. What a slow machine takes is not held against it: a thread that wants
 * to run is charged what it ran, one that is stopped or waits for the disk nothing; only one that waits although nothing hinders
 * it, and one that computes without turning its event loop, are charged the time on the wall.
 */
export class SilenceMeter {
  readonly #read: () => ThreadUse | undefined;
  #silentMs = 0;
  #cpuMs: number | undefined;

  /** @param read - undefined where the system does not tell; then time on the wall is charged */
  constructor(read: () => ThreadUse | undefined) {
    this.#read = read;
    this.#cpuMs = read()?.cpuMs;
  }

  /** It has answered. */
  heard(): void {
    this.#silentMs = 0;
  }

  /** To be called regularly. Returns the silence so far, in ms. */
  passed(wallMs: number): number {
    const use = this.#read();
    const ran = use === undefined ? wallMs : Math.max(0, use.cpuMs - (this.#cpuMs ?? use.cpuMs));
    this.#cpuMs = use?.cpuMs;
    const waits = use?.state === 'S' && ran === 0;
    this.#silentMs += waits ? wallMs : Math.min(wallMs, ran);
    return this.#silentMs;
  }
}

const TICKS_PER_SECOND = 100;

/** Reads {@link ThreadUse} of a process's main thread; undefined when it is gone, and where there is no /proc. */
export function mainThreadUse(pid: number): ThreadUse | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8');
    // The program's name, in parentheses, may hold spaces: fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { state: fields[0]!, cpuMs: (ticks * 1000) / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
}
