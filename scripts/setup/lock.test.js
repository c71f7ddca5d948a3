import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from './lock.js';

let folder;
let path;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-lock-'));
  path = join(folder, 'state', 'setup.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The id of a process that is gone. */
async function deadPid() {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid;
}

describe('withLock', () => {
  it('gives what the work gives and leaves nothing behind', async () => {
    expect(await withLock(path, async () => existsSync(path))).toBe(true);
    await expect(withLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(join(folder, 'state'))).toEqual([]);
  });

  it('lets one process in at a time', async () => {
    const log = join(folder, 'log');
    const program = `
      import { appendFileSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      import { withLock } from ${JSON.stringify(new URL('./lock.js', import.meta.url).href)};
      await withLock(${JSON.stringify(path)}, async () => {
        appendFileSync(${JSON.stringify(log)}, 'in\\n');
        await sleep(20);
        appendFileSync(${JSON.stringify(log)}, 'out\\n');
      });`;
    const children = Array.from({ length: 5 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' }),
    );
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0, 0, 0]);
    expect(readFileSync(log, 'utf8')).toBe('in\nout\n'.repeat(5));
  });

  it('takes over from a process that died holding it, and only once', async () => {
    await hold({ pids: [await deadPid()] });
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    await Promise.all([withLock(path, work), withLock(path, work), withLock(path, work)]);
    expect(most).toBe(1);
    expect(readdirSync(join(folder, 'state'))).toEqual([]);
  });

  it('waits for what a dead holder has started', async () => {
    await hold({ pids: [await deadPid(), process.pid] });
    await expect(withLock(path, async () => 'in', { waitMs: 0 })).rejects.toThrow(
      /another setup \(process \d+\) holds .*setup\.lock/,
    );
    rmSync(path);
    await withLock(path, async (holdFor) => {
      holdFor(12345);
      expect(JSON.parse(readFileSync(path, 'utf8')).pids).toEqual([process.pid, 12345]);
    });
    expect(readdirSync(join(folder, 'state'))).toEqual([]);
  });

  it('takes over from another machine after a while without a sign of life', async () => {
    await hold({ host: 'elsewhere', pids: [await deadPid()] });
    await expect(withLock(path, async () => 'in', { waitMs: 0 })).rejects.toThrow(/another setup/);
    utimesSync(path, new Date(0), new Date(0));
    expect(await withLock(path, async () => 'in', { waitMs: 0 })).toBe('in');
  });

  it('takes over from a file that was left half written', async () => {
    await withLock(path, async () => undefined);
    writeFileSync(path, '{"tok');
    await expect(withLock(path, async () => 'in', { waitMs: 0 })).rejects.toThrow(/another setup \(something\)/);
    utimesSync(path, new Date(0), new Date(0));
    expect(await withLock(path, async () => 'in', { waitMs: 0 })).toBe('in');
  });
});

/** Leaves a lock behind, as a holder does that was killed. */
async function hold(holder) {
  await withLock(path, async () => undefined);
  writeFileSync(path, JSON.stringify({ token: 'some-token', host: hostname(), ...holder }));
}
