import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { watchDisk } from './disk-watch.ts';

const MIB = 1024 ** 2;

describe('watchDisk', () => {
  it('reports a full disk once, and its end once', async () => {
    const clock = new VirtualClock();
    const told: string[] = [];
    let free: number | undefined = 500 * MIB;
    const stop = watchDisk({
      folder: '/x',
      clock,
      log: silentLogger(),
      onChange: (text) => void told.push(text),
      free: () => Promise.resolve(free),
    });
    const look = (): Promise<void> => clock.run(clock.sleep(2_000));
    await look();
    free = undefined;
    await look();
    expect(told).toEqual([]);
    free = 12 * MIB;
    await look();
    free = 50 * MIB;
    await look();
    expect(told).toEqual(['the disk of /x has 12 MiB free, and 64 MiB are needed; the cluster waits, free some and it goes on']);
    free = 64 * MIB;
    await look();
    // Less than is needed to go on, enough not to stop.
    free = 50 * MIB;
    await look();
    expect(told.slice(1)).toEqual(['there is room on the disk of /x again']);
    stop();
    free = 0;
    await look();
    expect(told).toHaveLength(2);
  });
});
