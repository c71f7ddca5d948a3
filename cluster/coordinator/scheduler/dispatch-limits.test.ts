import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJobRecord, transition } from '../../../src/jobs/record.ts';
import { MemoryNodes } from '../../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../../test/support/thermostat.ts';
import type { NodeInfo, NodeList } from '../../runtime/nodes.ts';
import { DispatchLimits } from './dispatch-limits.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const CONFIG = thermostatJob(['rollout.groupsPerRound=16', 'rollout.maxStaleness=1']);

/** Two rollout workers of four groups each, and jobs that run. */
async function limited(owners: Record<string, string>) {
  const nodes = new MemoryNodes(folder.path);
  const run = <T>(work: Promise<T>): Promise<T> => nodes.clock.run(work);
  const context = await run(nodes.node('coordinator'));
  const workers = [{ labels: { groups: '4' } }, { labels: {} }] as unknown as NodeInfo[];
  const list: NodeList = { list: () => workers, withRole: () => workers, close: () => undefined };
  for (const [id, owner] of Object.entries(owners)) {
    const record = createJobRecord({ id, config: CONFIG, now: 0, owner });
    await run(context.jobs.create(transition(record, 'RUNNING', { now: 0 })));
  }
  const woken: string[] = [];
  const limits = new DispatchLimits(context, {
    nodes: list,
    owners: { rich: { weight: 3 } },
    onRoom: (job) => void woken.push(job),
  });
  let id = 0;
  const send = async (job: string, count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      await run(context.bus.publish(`rollout.${job}`, new Uint8Array(1), { id: `${job}-${(id += 1)}` }));
      limits.sent(job);
    }
  };
  const wait = (ms: number) => run(nodes.clock.sleep(ms));
  return { context, run, limits, send, wait, woken };
}

describe('DispatchLimits', () => {
  it('leave a job that runs alone as it is, but for its evaluations', async () => {
    const { limits } = await limited({ a: 'local' });
    expect(limits.roomOf('a')).toBe(Infinity);
    expect(limits.evaluations).toBe(16);
    limits.close();
  });

  it('share what the workers run at once, and lend what nobody wants', async () => {
    const { limits, send, wait } = await limited({ a: 'local', b: 'local' });
    expect([limits.roomOf('a'), limits.roomOf('b')]).toEqual([8, 4]);
    await send('b', 4);
    expect(limits.roomOf('b')).toBe(0);
    await wait(250);
    // Of b four are under way, and a, which has none, asks.
    expect(limits.roomOf('a')).toBe(4);
    limits.close();
  });

  it('weigh the jobs of owners', async () => {
    const { limits } = await limited({ a: 'rich', b: 'poor', c: 'poor' });
    for (const job of ['a', 'b', 'c']) limits.roomOf(job);
    for (const job of ['a', 'b', 'c']) limits.blocked(job, true);
    expect(['a', 'b', 'c'].map((job) => limits.roomOf(job))).toEqual([6, 1, 1]);
    limits.close();
  });

  it('let a job that ends its requests quickly have more on their way, and count groups that wait for their rewards', async () => {
    const { context, run, limits, send, wait, woken } = await limited({ a: 'local', b: 'local' });
    for (const job of ['a', 'b']) limits.blocked(job, true);
    await wait(250);
    for (let turn = 0; turn < 20; turn += 1) {
      await send('a', 4);
      await run(context.bus.purge('ROLLOUTS', 'rollout.a'));
      await wait(200);
    }
    expect(limits.roomOf('a')).toBeGreaterThan(8);
    expect(limits.roomOf('b')).toBe(4);
    expect(new Set(woken)).toEqual(new Set(['a', 'b']));
    for (let i = 0; i < 5; i += 1) await run(context.bus.publish('group.b', new Uint8Array(1), { id: `group-${i}` }));
    await wait(250);
    expect(limits.roomOf('b')).toBe(0);
    limits.close();
  });
});
