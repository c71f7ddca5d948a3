import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  liveAdapter,
  MOST_ADAPTERS,
  promoted,
  retired,
  rolledBack,
  withAdapter,
  type Adapter,
  type AdapterList,
} from './registry.ts';

const adapter = (version: number, at = version): Omit<Adapter, 'status'> => ({
  ...{ name: `a@${version}`, job: 'a', version, checkpoint: 'c'.repeat(64), parent: '', owner: 'ana' },
  ...{ publishedAt: at, updatedAt: at },
});
const empty: AdapterList = { adapters: [], history: [], experiment: '' };
const statuses = ({ adapters }: AdapterList): string[] => adapters.map(({ name, status }) => `${name} ${status}`);

describe('published policies of an agent', () => {
  const three = [1, 2, 3].reduce((list, version) => withAdapter(list, adapter(version), version === 1), empty);

  it('are candidates until one is promoted; the one before is retired', () => {
    expect(statuses(three)).toEqual(['a@1 live', 'a@2 candidate', 'a@3 candidate']);
    const next = promoted(three, 'a@3', 9);
    expect(statuses(next)).toEqual(['a@1 retired', 'a@2 candidate', 'a@3 live']);
    expect(next.adapters.map(({ updatedAt }) => updatedAt)).toEqual([9, 2, 9]);
    expect(promoted(next, 'a@3', 10)).toBe(next);
  });

  it('go back one by one, and once for a request that is repeated', () => {
    const next = promoted(promoted(three, 'a@2', 9), 'a@3', 10);
    const back = rolledBack(next, { agent: 'x', from: 'a@3', now: 11 });
    expect(statuses(back)).toEqual(['a@1 retired', 'a@2 live', 'a@3 retired']);
    expect(rolledBack(back, { agent: 'x', from: 'a@3', now: 12 })).toBe(back);
    const first = rolledBack(back, { agent: 'x', from: 'a@2', now: 13 });
    expect(liveAdapter(first)?.name).toBe('a@1');
    expect(() => rolledBack(first, { agent: 'x', from: 'a@1', now: 14 })).toThrow('was live before');
    expect(() => rolledBack(first, { agent: 'x', from: 'b@1', now: 14 })).toThrow('no published policy "b@1"');
  });

  it('get new figures and keep their status when they are published again', () => {
    const validation = { tasks: 9, success: 1, low: 0.7, high: 1, meanReward: 1, meanSteps: 4 };
    const again = withAdapter(three, { ...adapter(1, 50), validation }, false);
    expect(again.adapters[0]).toMatchObject({ status: 'live', publishedAt: 1, updatedAt: 50, validation });
    expect(again.adapters).toHaveLength(3);
  });

  it('make room for new ones by forgetting retired ones that were not live lately', () => {
    let list = empty;
    for (let version = 0; version < MOST_ADAPTERS; version += 1) list = withAdapter(list, adapter(version), version < 2);
    expect(() => withAdapter(list, adapter(999), false)).toThrow('none is retired');
    const next = withAdapter(retired(list, 'a@7', 5), adapter(999), false);
    expect(next.adapters).toHaveLength(MOST_ADAPTERS);
    expect(statuses(next)).not.toContain('a@7 retired');
    expect(statuses(next)[0]).toBe('a@0 retired');
  });

  it('have at most one that is live, whatever is done', () => {
    const step = fc.tuple(fc.constantFrom('publish', 'promote', 'rollback'), fc.nat(4));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let list = empty;
        for (const [what, version] of steps) {
          const known = list.adapters.some(({ name }) => name === `a@${version}`);
          if (what === 'publish') list = withAdapter(list, adapter(version), version === 0);
          else if (known && what === 'promote') list = promoted(list, `a@${version}`, 1);
          else if (known && list.history.length > 0) list = rolledBack(list, { agent: 'x', from: `a@${version}`, now: 1 });
          const live = list.adapters.filter(({ status }) => status === 'live');
          expect(live.length).toBeLessThanOrEqual(1);
          expect(list.history).not.toContain(live[0]?.name);
        }
      }),
    );
  });
});
