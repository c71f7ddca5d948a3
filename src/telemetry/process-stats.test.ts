import { describe, expect, it } from 'vitest';
import { monitorProcess, processUsage } from './process-stats.ts';

function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Turns of the event loop until timers have run for `milliseconds`. */
async function turns(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe('process statistics', () => {
  it('tells memory and processor time', () => {
    const before = processUsage();
    busy(60);
    const after = processUsage();
    expect(before.rssBytes).toBeGreaterThan(10e6);
    expect(before.peakRssBytes).toBeGreaterThanOrEqual(before.rssBytes);
    expect(after.peakRssBytes).toBeGreaterThanOrEqual(before.peakRssBytes);
    expect(after.cpuSeconds).toBeGreaterThan(before.cpuSeconds);
  });

  it('sees a blocked event loop, and begins a new window at each reading', async () => {
    const monitor = monitorProcess();
    try {
      let blocked = 0;
      // On a busy machine the first look at the loop may come after the wait for it.
      for (let tries = 0; tries < 10 && blocked <= 300; tries++) {
        await turns(30);
        busy(400);
        await turns(30);
        blocked = monitor.read().eventLoopDelayMs;
      }
      expect(blocked).toBeGreaterThan(300);
      expect(monitor.read().eventLoopDelayMs).toBeLessThan(blocked);
    } finally {
      monitor.stop();
    }
  });
});
