import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LedgerSchema } from '../gen/millrace/v1/training_pb.ts';
import { acceptedOnResume, accounting, checkLedger, emptyLedger, end, hasEnded, open, type LedgerOutcome } from './ledger.ts';

const outcome: fc.Arbitrary<LedgerOutcome> = fc.oneof(
  fc.constantFrom<LedgerOutcome>('trained', 'filtered', 'expired'),
  fc.constantFrom('TOOL_TIMEOUT', 'WORKER_LOST').map((failed) => ({ failed })),
);

/** Ends in any order, some of them twice with another outcome. */
const ends = fc.array(
  fc.record({ sequence: fc.integer({ min: 0, max: 30 }), outcome, trajectories: fc.integer({ min: 0, max: 16 }) }),
  {
    maxLength: 80,
  },
);

describe('the ledger', () => {
  it('adds up after every end, in any order, with duplicates', () => {
    fc.assert(
      fc.property(ends, (script) => {
        let ledger = emptyLedger();
        const first = new Map<number, (typeof script)[number]>();
        for (const entry of script) {
          const before = ledger;
          ledger = end(ledger, entry.sequence, entry.outcome, entry.trajectories);
          expect(ledger === before).toBe(first.has(entry.sequence));
          if (!first.has(entry.sequence)) first.set(entry.sequence, entry);
          checkLedger(ledger, 31);
        }
        const count = (name: string) => [...first.values()].filter((e) => e.outcome === name).length;
        const failed = [...first.values()].filter((e) => typeof e.outcome === 'object').length;
        const used = [...first.values()].filter((e) => e.outcome === 'trained' || e.outcome === 'filtered');
        expect(accounting(ledger, 31)).toMatchObject({
          requests: 31,
          trained: count('trained'),
          filtered: count('filtered'),
          expired: count('expired'),
          failed,
          open: 31 - first.size,
        });
        expect(Number(ledger.trajectories)).toBe(used.reduce((sum, e) => sum + e.trajectories, 0));
        for (let s = 0; s < 31; s++) expect(hasEnded(ledger, s)).toBe(first.has(s));
        expect(open(ledger, 31)).toEqual([...Array(31).keys()].filter((s) => !first.has(s)));
      }),
    );
  });

  it('is the same whatever the order in which distinct requests end', () => {
    const distinct = fc.uniqueArray(fc.record({ sequence: fc.integer({ min: 0, max: 30 }), outcome }), {
      selector: (e) => e.sequence,
    });
    const shuffled = distinct.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, ([a, b]) => {
        const ledgerOf = (list: typeof a) => list.reduce((ledger, e) => end(ledger, e.sequence, e.outcome, 8), emptyLedger());
        expect(accounting(ledgerOf(a), 31)).toEqual(accounting(ledgerOf(b), 31));
        expect(ledgerOf(a).frontier).toBe(ledgerOf(b).frontier);
        expect(ledgerOf(a).endedBeyond).toEqual(ledgerOf(b).endedBeyond);
      }),
    );
  });

  it('compacts what is contiguous into the frontier', () => {
    let ledger = emptyLedger();
    for (const s of [2, 1, 4]) ledger = end(ledger, s, 'trained');
    expect([ledger.frontier, ledger.endedBeyond]).toEqual([0n, [1n, 2n, 4n]]);
    ledger = end(ledger, 0, 'filtered');
    expect([ledger.frontier, ledger.endedBeyond]).toEqual([3n, [4n]]);
    expect(open(ledger, 6)).toEqual([3, 5]);
  });

  it('does not change the ledger it is given', () => {
    const before = end(emptyLedger(), 1, { failed: 'TOOL_CRASH' });
    const bytes = toBinary(LedgerSchema, before);
    end(end(before, 0, { failed: 'TOOL_CRASH' }), 2, 'trained', 4);
    expect(fromBinary(LedgerSchema, bytes)).toEqual(before);
  });

  it('resumes behind everything that was dispatched or has ended', () => {
    const ledger = [0, 1, 5].reduce((l, s) => end(l, s, 'trained'), emptyLedger());
    expect(acceptedOnResume(ledger, 4)).toBe(6);
    expect(acceptedOnResume(ledger, 9)).toBe(9);
    expect(acceptedOnResume(emptyLedger(), 0)).toBe(0);
    expect(open(ledger, acceptedOnResume(ledger, 4))).toEqual([2, 3, 4]);
  });

  it('notices counts that do not add up', () => {
    const ledger = end(emptyLedger(), 0, 'trained');
    expect(() => checkLedger({ ...ledger, trained: 2n }, 5)).toThrow(expect.objectContaining({ code: 'data_loss' }));
    expect(() => checkLedger({ ...ledger, failed: 1n }, 5)).toThrow(/classes sum to 0/);
    expect(() => checkLedger({ ...ledger, endedBeyond: [3n, 3n] }, 5)).toThrow(/twice/);
    expect(() => checkLedger(ledger, 0)).toThrow(/only 0 requests were dispatched/);
    expect(() => end(ledger, -1, 'trained')).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});
