import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BudgetLedger } from './budget-ledger.ts';
import { DEFAULT_SETTINGS } from './budget-settings.ts';
import { spentOf, withSpent, type OwnerLedger } from './owner-ledger.ts';

/** A ledger to be tested, with two connections to it. */
export interface LedgerHarness {
  ledgers: readonly [BudgetLedger, BudgetLedger];
  /** Runs to the end of the work: on virtual time where there is one. */
  run: <R>(work: Promise<R>) => Promise<R>;
  stop(): Promise<void>;
}

/** What every BudgetLedger must do. */
export function budgetLedgerConformance(name: string, start: () => Promise<LedgerHarness>): void {
  describe(`${name}: budget ledger`, () => {
    let harness: LedgerHarness;
    beforeEach(async () => void (harness = await start()));
    afterEach(() => harness.stop());
    const one = { microDollars: 1, tokens: 2 };

    it('is empty where nothing was spent, and keeps owners and months apart', async () => {
      const { ledgers, run } = harness;
      const empty = await run(ledgers[0].read('ann', '2026-11'));
      expect(empty).toEqual({ format: 1, owner: 'ann', month: '2026-11', jobs: {}, blocks: {} });
      for (const owner of ['ann', 'Team Ünï/code *.> x', '']) {
        await run(ledgers[0].change(owner, '2026-11', (ledger) => withSpent(ledger, `job-of-${owner}`, one)));
        const read = await run(ledgers[1].read(owner, '2026-11'));
        expect(read.jobs).toEqual({ [`job-of-${owner}`]: { spent: one } });
        expect((await run(ledgers[1].read(owner, '2026-12'))).jobs).toEqual({});
      }
      expect((await run(ledgers[1].list('2026-11'))).map(({ owner }) => owner)).toEqual(['', 'Team Ünï/code *.> x', 'ann']);
      expect(await run(ledgers[1].list('2026-10'))).toEqual([]);
    });

    it('loses no change of many writers at once', async () => {
      const { ledgers, run } = harness;
      const writers = Array.from({ length: 24 }, (_, i) =>
        ledgers[i % 2]!.change('ann', '2026-11', (ledger) => withSpent(ledger, `job-${i % 3}`, one)),
      );
      await run(Promise.all(writers));
      expect(spentOf(await run(ledgers[1].read('ann', '2026-11')))).toEqual({ microDollars: 24, tokens: 48 });
    });

    it('writes nothing where nothing changes', async () => {
      const { ledgers, run } = harness;
      const seen: OwnerLedger[] = [];
      const stop = await run(ledgers[1].watch((ledger) => void seen.push(ledger)));
      await run(ledgers[0].change('ann', '2026-11', (ledger) => ledger));
      await run(ledgers[0].change('ann', '2026-11', () => undefined));
      await run(ledgers[0].change('bob', '2026-11', (ledger) => withSpent(ledger, 'job', one)));
      await expect.poll(() => seen.length).toBe(1);
      expect(seen[0]).toMatchObject({ owner: 'bob', month: '2026-11' });
      stop();
    });

    it('gives watchers what there is and then what changes', async () => {
      const { ledgers, run } = harness;
      const spend = (): Promise<unknown> => run(ledgers[0].change('ann', '2026-11', (ledger) => withSpent(ledger, 'job', one)));
      await spend();
      const seen: number[] = [];
      const stop = await run(ledgers[1].watch((ledger) => void seen.push(spentOf(ledger).microDollars)));
      await spend();
      await expect.poll(() => seen).toEqual([1, 2]);
      stop();
    });

    it('keeps limits and settings', async () => {
      const { ledgers, run } = harness;
      expect(await run(ledgers[0].limit('ann'))).toBeUndefined();
      expect(await run(ledgers[0].settings())).toEqual(DEFAULT_SETTINGS);
      await run(ledgers[0].setLimit('ann', 5));
      await run(ledgers[0].setLimit('ann', 7));
      await run(ledgers[0].setLimit('b ö', 0));
      expect(await run(ledgers[1].limit('ann'))).toBe(7);
      expect(await run(ledgers[1].limits())).toEqual({ ann: 7, 'b ö': 0 });
      const settings = {
        monthly: 3,
        owners: { ann: 4 },
        prices: { models: { m: { inputPerMillion: 1.5, outputPerMillion: 2 } }, tools: { search: 0.01 } },
      };
      await run(ledgers[0].putSettings(settings));
      expect(await run(ledgers[1].settings())).toEqual(settings);
    });
  });
}
