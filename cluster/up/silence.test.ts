import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { mainThreadUse, SilenceMeter, type ThreadUse } from './silence.ts';

/** Silence after each of some readings, 5 s apart. */
function silences(...readings: (ThreadUse | undefined)[]): number[] {
  let next = 0;
  const meter = new SilenceMeter(() => readings[next]);
  return readings.slice(1).map(() => {
    next += 1;
    return meter.passed(5_000);
  });
}

const use = (state: string, cpuMs: number): ThreadUse => ({ state, cpuMs });

describe('SilenceMeter', () => {
  it('charges an endless loop, and a thread that waits for nothing, the time on the wall', () => {
    expect(silences(use('R', 0), use('R', 5_000), use('R', 10_000))).toEqual([5_000, 10_000]);
    expect(silences(use('R', 0), use('S', 0), use('S', 0))).toEqual([5_000, 10_000]);
  });

  it('charges one that gets little of the processor only that', () => {
    expect(silences(use('R', 0), use('R', 100), use('S', 150), use('R', 150))).toEqual([100, 150, 150]);
  });

  it('charges nothing while it is stopped, or waits for the disk', () => {
    expect(silences(use('S', 0), use('T', 0), use('D', 0))).toEqual([0, 0]);
  });

  it('begins anew with every answer, and goes by the wall where nobody knows more', () => {
    const meter = new SilenceMeter(() => undefined);
    expect([meter.passed(5_000), meter.passed(5_000)]).toEqual([5_000, 10_000]);
    meter.heard();
    expect(meter.passed(5_000)).toBe(5_000);
  });
});

describe.runIf(process.platform === 'linux')('mainThreadUse', () => {
  it('tells a process that computes from one that is stopped, and one that is gone', async () => {
    const child = spawn(process.execPath, ['-e', 'for (;;);']);
    try {
      await expect.poll(() => mainThreadUse(child.pid!)?.cpuMs ?? 0).toBeGreaterThan(50);
      child.kill('SIGSTOP');
      await expect.poll(() => mainThreadUse(child.pid!)?.state).toBe('T');
    } finally {
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
    }
    expect(mainThreadUse(child.pid!)).toBeUndefined();
  });
});
