import { describe, expect, it } from 'vitest';
import { emptyOwnerLedger, withBlock, type OwnerLedger } from './owner-ledger.ts';
import { SilentBlocks } from './silent-blocks.ts';

const of = (exchanges: Record<string, number>, owner = 'ann', month = '2026-11'): OwnerLedger =>
  Object.entries(exchanges).reduce(
    (ledger, [holder, exchange]) => {
      const left = { microDollars: 1, tokens: 0 };
      return withBlock(ledger, `${holder}/a`, { job: 'a', holder, left, exchange });
    },
    emptyOwnerLedger(owner, month),
  );

describe('SilentBlocks', () => {
  it('names a block once it has not changed for the whole time, and again until it is gone', () => {
    const silent = new SilentBlocks(100);
    expect(silent.look(of({ n: 3 }), 0)).toEqual([]);
    expect(silent.look(of({ n: 3 }), 99)).toEqual([]);
    expect(silent.look(of({ n: 3 }), 100)).toEqual([{ key: 'n/a', exchange: 3 }]);
    expect(silent.look(of({ n: 3 }), 150)).toEqual([{ key: 'n/a', exchange: 3 }]);
    expect(silent.look(of({}), 200)).toEqual([]);
  });

  it('counts anew with each exchange, and for a block that comes back', () => {
    const silent = new SilentBlocks(100);
    for (const [exchange, now] of [
      [1, 0],
      [2, 90],
      [3, 180],
    ] as const)
      expect(silent.look(of({ n: exchange }), now)).toEqual([]);
    silent.look(of({}), 200);
    expect(silent.look(of({ n: 3 }), 290)).toEqual([]);
    expect(silent.look(of({ n: 3 }), 390)).toHaveLength(1);
  });

  it('tells holders, owners and months apart', () => {
    const silent = new SilentBlocks(100);
    silent.look(of({ n: 1, m: 1 }), 0);
    silent.look(of({ n: 1 }, 'bob'), 50);
    silent.look(of({ n: 1 }, 'ann', '2026-12'), 60);
    expect(silent.look(of({ n: 1, m: 2 }), 100)).toEqual([{ key: 'n/a', exchange: 1 }]);
    expect(silent.look(of({ n: 1 }, 'bob'), 149)).toEqual([]);
    expect(silent.look(of({ n: 1 }, 'ann', '2026-12'), 160)).toHaveLength(1);
  });
});
