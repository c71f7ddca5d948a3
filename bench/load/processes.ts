import { readFileSync } from 'node:fs';

/** What a process has used, as the kernel counts it. */
export interface ProcessReading {
  /** User and system time since it began. */
  cpuSeconds: number;
  rssBytes: number;
  /** Highest resident size since it began. */
  peakRssBytes: number;
}

/** A process over a run; one that died and was started again is still the same one. */
export interface ProcessUsage {
  name: string;
  cpuSeconds: number;
  /** Highest resident size seen. */
  peakRssBytes: number;
  /** Mean resident size in the second and in the last quarter of the readings, the first being warm-up: equal when memory is flat. */
  earlyRssBytes: number;
  lateRssBytes: number;
  /** Times that it was another process than before. */
  restarts: number;
}

/** The kernel's unit of processor time in /proc, on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;

/** Reads /proc/<pid>/stat and /proc/<pid>/status, given as texts. */
export function parseReading(stat: string, status: string): ProcessReading {
  // The name in brackets may hold anything, brackets and spaces too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const line = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    rssBytes: line('VmRSS'),
    peakRssBytes: line('VmHWM'),
  };
}

/** A reading of a living process; undefined when it is gone, or where there is no /proc. */
export function readProcess(pid: number): ProcessReading | undefined {
  try {
    const reading = parseReading(readFileSync(`/proc/${pid}/stat`, 'utf8'), readFileSync(`/proc/${pid}/status`, 'utf8'));
    // A zombie has no memory any more; its time was seen before.
    return reading.rssBytes === 0 ? undefined : reading;
  } catch {
    return undefined;
  }
}

/** Processor seconds that all processes of the machine have used since it was started, from the text of /proc/stat. */
export function parseBusySeconds(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '')
    .split(' ')
    .map(Number);
  return (user + nice + system + irq + softIrq) / TICKS_PER_SECOND;
}

/** See {@link parseBusySeconds}; NaN where there is no /proc. */
export function busySeconds(): number {
  try {
    return parseBusySeconds(readFileSync('/proc/stat', 'utf8'));
  } catch {
    return NaN;
  }
}

interface Watched {
  pid: () => number | undefined;
  current: number | undefined;
  last: ProcessReading;
  /** Of the processes before the current one. */
  before: number;
  restarts: number;
  peak: number;
  /** Every `every`-th reading. */
  rss: number[];
  every: number;
  readings: number;
}

const NOTHING: ProcessReading = { cpuSeconds: 0, rssBytes: 0, peakRssBytes: 0 };

/** Readings kept of each process; of more than that, every other one goes, and from then on every other one is kept. */
const MOST_READINGS = 4096;

/** Reads processes every so often, so that the time of those that are killed counts too. */
export class ProcessSampler {
  readonly #watched = new Map<string, Watched>();
  readonly #timer: NodeJS.Timeout;
  readonly #read: (pid: number) => ProcessReading | undefined;

  constructor(everyMs = 250, read: (pid: number) => ProcessReading | undefined = readProcess) {
    this.#read = read;
    this.#timer = setInterval(() => this.sample(), everyMs).unref();
  }

  /** Watches a process under a name; `pid` is asked anew at each reading. */
  watch(name: string, pid: () => number | undefined): void {
    this.#watched.set(name, {
      pid,
      current: undefined,
      last: NOTHING,
      before: 0,
      restarts: 0,
      peak: 0,
      rss: [],
      every: 1,
      readings: 0,
    });
  }

  /** Takes a reading of each now. */
  sample(): void {
    for (const watched of this.#watched.values()) {
      const pid = watched.pid();
      const reading = pid === undefined ? undefined : this.#read(pid);
      if (reading === undefined) continue;
      if (watched.current !== undefined && watched.current !== pid) {
        watched.before += watched.last.cpuSeconds;
        watched.restarts += 1;
      }
      watched.current = pid;
      watched.last = reading;
      watched.peak = Math.max(watched.peak, reading.peakRssBytes);
      if (watched.readings++ % watched.every === 0) watched.rss.push(reading.rssBytes);
      if (watched.rss.length > MOST_READINGS) {
        watched.rss = watched.rss.filter((_, at) => at % 2 === 0);
        watched.every *= 2;
      }
    }
  }

  /** Processor seconds of each so far. */
  cpuSeconds(): Record<string, number> {
    this.sample();
    return Object.fromEntries([...this.#watched].map(([name, { before, last }]) => [name, before + last.cpuSeconds]));
  }

  usage(): ProcessUsage[] {
    this.sample();
    return [...this.#watched].map(([name, { before, last, peak, rss, restarts }]) => {
      const quarter = Math.max(1, rss.length >> 2);
      return {
        name,
        cpuSeconds: before + last.cpuSeconds,
        peakRssBytes: peak,
        earlyRssBytes: mean(rss.length < 4 ? rss.slice(0, 1) : rss.slice(quarter, 2 * quarter)),
        lateRssBytes: mean(rss.slice(-quarter)),
        restarts,
      };
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
}
