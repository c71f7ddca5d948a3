import { describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import type { NoticeReport } from '../../src/jobs/notice.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { watchJobNotices } from './notice-list.ts';

const report: NoticeReport = { code: 'EVENT_LOOP_HELD', subject: 'search "flights"', message: 'blocked for 3 s' };

function bound(target: Bus, name: string | symbol): unknown {
  const value = Reflect.get(target, name) as unknown;
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}

async function twoNodes() {
  const nodes = new MemoryNodes('/nowhere');
  const { clock } = nodes;
  const [one, two] = [await clock.run(nodes.node('one')), await clock.run(nodes.node('two'))];
  const list = watchJobNotices(one, () => {});
  await clock.run(list.ready);
  const settled = <T>(work: Promise<T>): Promise<T> => clock.run(work.then(async (value) => (await clock.sleep(1), value)));
  const events = async (): Promise<string[]> => {
    const kinds: string[] = [];
    for await (const { subject } of one.bus.read('EVENTS', 'event.a.>')) kinds.push(subject);
    return kinds;
  };
  return { clock, one, two, list, settled, events: () => clock.run(events()) };
}

describe('job notices', () => {
  it('count the reports of several nodes in one notice', async () => {
    const { one, two, list, settled } = await twoNodes();
    await settled(Promise.all([one.notices.report('a', report), two.notices.report('a', report)]));
    await settled(one.notices.report('b', { code: 'ADMISSION_HELD', message: 'rate limit' }));
    expect(list.of('a')).toMatchObject([{ ...report, job: 'a', count: 2 }]);
    expect(list.of('b')).toMatchObject([{ code: 'ADMISSION_HELD', subject: '', count: 1, node: 'one' }]);
  });

  it('are read again when NATS did not answer at first', async () => {
    const nodes = new MemoryNodes('/nowhere');
    const { clock } = nodes;
    let away = true;
    const watchAway = (bus: Bus): Bus =>
      new Proxy(bus, {
        get: (target, name) =>
          name === 'kv' && away ? () => ({ watch: () => Promise.reject(new Error('no answer')) }) : bound(target, name),
      });
    const one = await clock.run(nodes.node('one'));
    const list = watchJobNotices({ bus: watchAway(one.bus), clock }, () => {});
    await expect(clock.run(list.ready)).rejects.toThrow('no answer');
    away = false;
    await clock.run(one.notices.report('a', report));
    await clock.run(clock.sleep(2_000));
    await clock.run(list.ready);
    expect(list.of('a')).toMatchObject([{ count: 1 }]);
    list.close();
  });

  it('write a burst of reports together', async () => {
    const { one, list, settled } = await twoNodes();
    let writes = 0;
    const stop = await one.bus.kv('notices').watch('>', () => void (writes += 1));
    await settled(Promise.all(Array.from({ length: 500 }, () => one.notices.report('a', report))));
    expect(list.of('a')).toMatchObject([{ count: 500 }]);
    expect(writes).toBeLessThanOrEqual(2);
    stop();
  });

  it('are over once resolved, and begin anew when reported again', async () => {
    const { one, two, list, settled, events } = await twoNodes();
    await settled(one.notices.report('a', report));
    await settled(two.notices.resolve('a', report.code, report.subject));
    expect(list.of('a')[0]?.resolvedAt).toBeDefined();
    await settled(two.notices.resolve('a', 'DISK_FULL'));
    await settled(two.notices.report('a', report));
    expect(list.of('a')).toMatchObject([{ count: 1, node: 'two' }]);
    expect(await events()).toEqual(['event.a.notice', 'event.a.notice-resolved', 'event.a.notice']);
  });

  it('are all over when another node says so', async () => {
    const { one, two, list, settled } = await twoNodes();
    for (const subject of ['search', 'book']) await settled(one.notices.report('a', { ...report, subject }));
    await settled(one.notices.report('a', { code: 'ADMISSION_HELD', message: '' }));
    await settled(one.notices.report('b', report));
    await settled(two.notices.resolveAll('a', report.code));
    const lasting = [...list.of('a'), ...list.of('b')].filter(({ resolvedAt }) => resolvedAt === undefined);
    expect(lasting.map(({ job, code }) => `${job} ${code}`)).toEqual(['a ADMISSION_HELD', `b ${report.code}`]);
  });

  it('never throw, and leave out what cannot be read', async () => {
    const { one, list, settled } = await twoNodes();
    await settled(one.bus.kv('notices').put('a.GARBAGE.0', Uint8Array.of(1, 2, 3)));
    await settled(one.notices.report('a', report));
    expect(list.of('a')).toHaveLength(1);
    await one.bus.close();
    await expect(one.notices.report('a', report)).resolves.toBeUndefined();
    await expect(one.notices.resolve('a', report.code)).resolves.toBeUndefined();
  });
});
