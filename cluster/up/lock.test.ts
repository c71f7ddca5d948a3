import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockState } from './lock.ts';

describe('the lock of a state folder', () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'millrace-lock-'))));
  afterEach(() => rm(folder, { recursive: true }));
  const file = (): string => join(folder, 'lock');

  it('is held by one, and given back without a trace', async () => {
    const unlock = await lockState(folder);
    expect(readFileSync(file(), 'utf8')).toMatch(new RegExp(`^${process.pid} \\d+$`));
    await expect(lockState(folder)).rejects.toMatchObject({ code: 'failed_precondition' });
    await expect(lockState(folder)).rejects.toThrow(`already (process ${process.pid}). Stop it, or choose another folder`);
    await unlock();
    expect(readdirSync(folder)).toEqual([]);
    await (
      await lockState(folder)
    )();
  });

  it.each([
    ['a process that is gone', '4194305 1'],
    ['a process whose number is another one’s now', `${process.pid} 1`],
    ['nobody', ''],
    ['garbage', 'x y z'],
  ])('is taken from %s', async (_, content) => {
    writeFileSync(file(), content);
    const unlock = await lockState(folder);
    expect(readdirSync(folder)).toEqual(['lock']);
    await unlock();
    expect(existsSync(file())).toBe(false);
  });

  it.each([
    ['nothing', ''],
    ['garbage', '\u0000x'],
    ['cut short', '-'],
    ['that of a later version', '{"format":2,"pid":1}'],
    ['of a process that is gone', '4194305'],
    ['of another program', `${process.pid}`],
  ])('is given although nats-server.pid is %s, and ends nobody for it', async (_, content) => {
    mkdirSync(join(folder, 'nats'));
    writeFileSync(join(folder, 'nats', 'nats-server.pid'), content);
    const unlock = await lockState(folder);
    expect(existsSync(join(folder, 'nats', 'nats-server.pid'))).toBe(false);
    await unlock();
  });

  it('goes to exactly one of many who find a stale one', async () => {
    writeFileSync(file(), '4194305 1');
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockState(folder)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});
