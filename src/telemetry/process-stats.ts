import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';

/** What a process has used. */
export interface ProcessStats {
  readonly rssBytes: number;
  /** Highest resident size since the process began, as the kernel counted it. */
  readonly peakRssBytes: number;
  /** User and system time since the process began. */
  readonly cpuSeconds: number;
  /** 99th percentile of the event loop's delay since the last reading, in milliseconds; 0 before anything was measured. */
  readonly eventLoopDelayMs: number;
}

/** Reads what this process uses. */
export interface ProcessMonitor {
  /** Takes a reading and begins a new window for the event loop's delay. */
  read(): ProcessStats;
  /** Ends the measuring of the event loop. */
  stop(): void;
}

/** Milliseconds between two looks at the event loop; a delay is what a timer of that length was late by. */
const RESOLUTION_MS = 10;

/** Begins to measure this process; `stop` it before the process ends. */
export function monitorProcess(): ProcessMonitor {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  return {
    read() {
      const stats = { ...processUsage(), eventLoopDelayMs: delayOf(delays) };
      delays.reset();
      return stats;
    },
    stop() {
      delays.disable();
    },
  };
}

/** {@link ProcessStats} without the event loop's delay, which needs a monitor. */
export function processUsage(): Omit<ProcessStats, 'eventLoopDelayMs'> {
  const usage = process.resourceUsage();
  const rssBytes = process.memoryUsage.rss();
  return {
    rssBytes,
    peakRssBytes: Math.max(rssBytes, usage.maxRSS * 1024),
    cpuSeconds: (usage.userCPUTime + usage.systemCPUTime) / 1e6,
  };
}

function delayOf(delays: IntervalHistogram): number {
  if (delays.count === 0) return 0;
  return Math.max(0, delays.percentile(99) / 1e6 - RESOLUTION_MS);
}
