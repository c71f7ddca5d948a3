import { describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import type { DetachedPart } from '../../src/store/detached.ts';
import { watchJobNotices } from '../jobs/notice-list.ts';
import { watchMissingRows } from './missing-rows.ts';

const part = (name: string, more: Partial<DetachedPart> = {}): DetachedPart => ({
  table: 'steps',
  part: name,
  job: 'a',
  rows: 28_000,
  diskBytes: 1,
  reason: 'broken-on-start',
  path: `/x/${name}`,
  ...more,
});

describe('watchMissingRows', () => {
  it('tells of each part once, at the start or in the hour after, as a notice of its job too', async () => {
    const nodes = new MemoryNodes('/nowhere');
    const { clock } = nodes;
    const context = await clock.run(nodes.node('store'));
    const notices = watchJobNotices(context, () => {});
    const told: string[] = [];
    let looks = 0;
    let parts: DetachedPart[] | Error = [part('one')];
    const detached = (): Promise<DetachedPart[]> => {
      looks += 1;
      return parts instanceof Error ? Promise.reject(parts) : Promise.resolve(parts);
    };
    const metric = async (name: string): Promise<string[]> =>
      (await context.metrics.text())
        .split('\n')
        .filter((line) => line.startsWith(`millrace_${name}`) && line.includes('"steps"'));
    const stop = await clock.run(watchMissingRows(context, { detached, onTrouble: (text) => void told.push(text) }));
    const hour = (): Promise<void> => clock.run(clock.sleep(3_600_001));
    expect(told).toEqual([expect.stringMatching(/^28,000 rows of table steps \(job a\) are missing: part one/)]);
    await hour();
    parts = new Error('too busy');
    await hour();
    expect(told).toHaveLength(1);
    parts = [part('one'), part('two', { job: '', rows: undefined })];
    await hour();
    expect(told).toEqual([told[0], expect.stringMatching(/^rows of table steps are missing: part two/)]);
    expect(await metric('store_detached_parts')).toEqual([expect.stringMatching(/ 2$/)]);
    expect(await metric('store_detached_rows')).toEqual([expect.stringMatching(/ 28000$/)]);
    expect(notices.of('a')).toMatchObject([{ code: 'ROWS_MISSING', subject: 'steps', count: 1 }]);
    parts = [];
    await hour();
    expect(await metric('store_detached_parts')).toEqual([expect.stringMatching(/ 0$/)]);
    expect(looks).toBe(5);
    stop();
    await hour();
    expect(looks).toBe(5);
  });
});
