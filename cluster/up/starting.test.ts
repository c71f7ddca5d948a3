import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { readStarting, reportStart } from './starting.ts';

let stateDir: string;
beforeEach(() => void (stateDir = mkdtempSync(join(tmpdir(), 'starting-'))));
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

describe('a start', () => {
  it('is told to others while it lasts, and to the terminal every 10 s', async () => {
    const clock = new VirtualClock();
    let waiting = ['nats-server'];
    const told: string[] = [];
    const over = reportStart({ stateDir, clock, waitsFor: () => waiting, tell: (text) => told.push(text) });
    expect(readStarting(stateDir)).toEqual({ pid: process.pid, since: clock.now(), waitsFor: ['nats-server'] });
    waiting = ['store (opening the database)', 'coordinator'];
    await clock.run(clock.sleep(9_000));
    expect(readStarting(stateDir)?.waitsFor).toEqual(waiting);
    expect(told).toEqual([]);
    await clock.run(clock.sleep(12_000));
    expect(told).toEqual(
      [10, 20].map((s) => `still starting after ${s} s: waiting for store (opening the database), coordinator`),
    );
    over();
    expect(readStarting(stateDir)).toBeUndefined();
    expect(existsSync(join(stateDir, 'starting.json'))).toBe(false);
  });

  it('is over when its process is gone, whatever the file says; one that cannot be read is none', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    for (const text of [JSON.stringify({ pid, since: 1, waitsFor: [] }), '{', '{}', '', 'null']) {
      writeFileSync(join(stateDir, 'starting.json'), text);
      expect(readStarting(stateDir)).toBeUndefined();
    }
  });
});
