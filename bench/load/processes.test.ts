import { afterEach, describe, expect, it } from 'vitest';
import { busySeconds, parseBusySeconds, parseReading, ProcessSampler, readProcess, type ProcessReading } from './processes.ts';

const STAT = '4711 (a (very) odd name) S 1 4711 4711 0 -1 4194560 31 0 5 0 1250 375 0 0 20 0 11 0 88 1 2';
const STATUS = 'Name:\tnode\nVmPeak:\t  900000 kB\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\nThreads:\t11\n';

it('reads time and memory as the kernel writes them', () => {
  expect(parseReading(STAT, STATUS)).toEqual({ cpuSeconds: 16.25, rssBytes: 1024 * 1024, peakRssBytes: 2048 * 1024 });
});

it('adds up what the whole machine was busy with, idle and waiting left out', () => {
  expect(parseBusySeconds('cpu  1000 200 300 90000 7000 40 60 500 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n')).toBe(16);
});

describe.runIf(process.platform === 'linux')('on Linux', () => {
  it('reads this process', () => {
    const reading = readProcess(process.pid)!;
    expect(reading.rssBytes).toBeGreaterThan(10 * 1024 * 1024);
    expect(reading.peakRssBytes).toBeGreaterThanOrEqual(reading.rssBytes);
    expect(reading.cpuSeconds).toBeGreaterThan(0);
  });

  it('knows that the machine was busy', () => {
    expect(busySeconds()).toBeGreaterThan(0);
  });

  it('reads nothing of a process that is not there', () => {
    expect(readProcess(2 ** 22 + 1)).toBeUndefined();
  });
});

describe('ProcessSampler', () => {
  let sampler: ProcessSampler;
  afterEach(() => sampler.close());

  it('adds up the processes of one name, and keeps what the dead ones used', () => {
    let pid: number | undefined = 1;
    const readings = new Map<number, ProcessReading>([
      [1, { cpuSeconds: 3, rssBytes: 100, peakRssBytes: 400 }],
      [2, { cpuSeconds: 1, rssBytes: 200, peakRssBytes: 250 }],
    ]);
    sampler = new ProcessSampler(3600_000, (of) => readings.get(of));
    sampler.watch('store', () => pid);
    sampler.sample();
    pid = undefined;
    sampler.sample();
    pid = 2;
    expect(sampler.cpuSeconds()).toEqual({ store: 4 });
    readings.set(2, { cpuSeconds: 1.5, rssBytes: 240, peakRssBytes: 260 });
    expect(sampler.usage()).toEqual([
      { name: 'store', cpuSeconds: 4.5, peakRssBytes: 400, earlyRssBytes: 100, lateRssBytes: 240, restarts: 1 },
    ]);
  });

  it('tells growing memory from flat memory, however many readings there are', () => {
    let rss = 0;
    sampler = new ProcessSampler(3600_000, () => ({ cpuSeconds: 0, rssBytes: (rss += 1), peakRssBytes: rss }));
    sampler.watch('leaking', () => 1);
    for (let at = 0; at < 20_000; at += 1) sampler.sample();
    const [usage] = sampler.usage();
    expect(usage!.lateRssBytes / usage!.earlyRssBytes).toBeCloseTo(7 / 3, 1);
  });
});
