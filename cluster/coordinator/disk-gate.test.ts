import { describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { watchJobNotices } from '../jobs/notice-list.ts';
import { DiskGate } from './disk-gate.ts';

const MIB = 1024 ** 2;

describe('DiskGate', () => {
  it('holds requests while the disk is full, and reports it', async () => {
    const nodes = new MemoryNodes('/state');
    const { clock } = nodes;
    const context = await clock.run(nodes.node('one'));
    const notices = watchJobNotices(context, () => {});
    let free: number | undefined = 100 * MIB;
    const gate = new DiskGate(context, 'a', { free: () => Promise.resolve(free) });
    const lookAt = (bytes: number | undefined): Promise<void> => {
      free = bytes;
      return clock.run(gate.check().then(() => clock.sleep(10)));
    };
    const notice = () =>
      notices.of('a').map(({ code, message, count, resolvedAt }) => ({ code, message, count, over: resolvedAt !== undefined }));

    await lookAt(100 * MIB);
    await lookAt(undefined);
    expect([gate.full, notice()]).toEqual([undefined, []]);
    await lookAt(3.5 * MIB);
    await lookAt(50 * MIB);
    expect(gate.full).toEqual({ folder: '/state', freeBytes: 50 * MIB, neededBytes: 64 * MIB });
    const message = expect.stringMatching(
      /^the disk of \/state has 3 MiB free, and 64 MiB are needed: no new requests/,
    ) as string;
    expect(notice()).toEqual([{ code: 'DISK_FULL', message, count: 1, over: false }]);
    await lookAt(64 * MIB);
    expect(gate.full).toBeUndefined();
    expect(notice()).toEqual([{ code: 'DISK_FULL', message, count: 1, over: true }]);
    await lookAt(50 * MIB);
    expect(gate.full).toBeUndefined();
  });

  it('ends the condition that the actor of the job reported in a life before this one', async () => {
    const nodes = new MemoryNodes('/state');
    const { clock } = nodes;
    const context = await clock.run(nodes.node('one'));
    const notices = watchJobNotices(context, () => {});
    const look = (free: number): Promise<void> => {
      const gate = new DiskGate(context, 'a', { free: () => Promise.resolve(free) });
      return clock.run(gate.check().then(() => clock.sleep(10)));
    };
    await look(MIB);
    const over = (): boolean[] => notices.of('a').map(({ resolvedAt }) => resolvedAt !== undefined);
    expect(over()).toEqual([false]);
    await look(100 * MIB);
    expect(over()).toEqual([true]);
  });
});
