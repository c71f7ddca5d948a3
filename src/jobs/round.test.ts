import { describe, expect, it } from 'vitest';
import { accounting, checkLedger, emptyLedger, end } from './ledger.ts';
import { RoundAssembly, type ArrivedGroup } from './round.ts';

const start = { ledger: emptyLedger(), version: 3, groupsPerRound: 2, maxStaleness: 1 };
const group = (sequence: number, rest: Partial<ArrivedGroup> = {}): ArrivedGroup => ({
  sequence,
  policyVersion: 3,
  verdict: 'signal',
  trajectories: 8,
  ...rest,
});

describe('RoundAssembly', () => {
  it('decides about every kind of group', () => {
    const round = new RoundAssembly({ ...start, ledger: end(emptyLedger(), 0, 'trained', 8) });
    expect(round.offer(group(0))).toBe('duplicate');
    expect(round.offer(group(1, { policyVersion: 1 }))).toBe('expired');
    expect(round.offer(group(2, { verdict: 'failed', failure: 'TOOL_CRASH', policyVersion: 1 }))).toBe('failed');
    expect(round.offer(group(3, { policyVersion: 2 }))).toBe('trained');
    expect(round.offer(group(3))).toBe('duplicate');
    expect(round.complete).toBe(false);
    expect(() => round.committed()).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
    expect(round.offer(group(4, { verdict: 'no_signal' }))).toBe('filtered');
    expect(round.complete).toBe(true);
    expect(round.offer(group(5))).toBe('held');
    expect(round.offer(group(5))).toBe('duplicate');
    expect(accounting(round.live, 6)).toMatchObject({ trained: 1, filtered: 1, expired: 1, failed: 1, open: 2 });
    const committed = round.committed();
    checkLedger(committed, 6);
    expect(accounting(committed, 6)).toMatchObject({ trained: 2, filtered: 1, open: 1, failedByClass: { TOOL_CRASH: 1 } });
    expect(committed.trajectories).toBe(24n);
  });

  it('replaces groups without signal while it may draw more', () => {
    const round = new RoundAssembly({ ...start, draws: 2 });
    const none = (sequence: number): ArrivedGroup => group(sequence, { verdict: 'no_signal' });
    expect([none(0), group(1), none(2)].map((g) => round.offer(g))).toEqual(['filtered', 'trained', 'filtered']);
    expect([round.count, round.drawn, round.complete, round.exhausted]).toEqual([1, 3, false, false]);
    expect(round.offer(none(3))).toBe('filtered');
    expect([round.complete, round.exhausted]).toEqual([true, true]);
    expect(accounting(round.committed(), 4)).toMatchObject({ trained: 1, filtered: 3, open: 0 });
    const { round: next } = round.next();
    for (const s of [5, 6]) next.offer(group(s));
    expect([next.count, next.complete, next.exhausted]).toEqual([2, true, false]);
  });

  it('gives the groups by sequence, whatever the order they came in', () => {
    const round = new RoundAssembly({ ...start, groupsPerRound: 3 });
    for (const s of [7, 2, 5]) round.offer(group(s));
    expect(round.groups().map((g) => g.sequence)).toEqual([2, 5, 7]);
  });

  it('looks at held groups again in the next round, oldest request first, and lets them expire', () => {
    const round = new RoundAssembly({ ...start, maxStaleness: 0 });
    for (const s of [0, 1]) round.offer(group(s));
    for (const s of [9, 4]) expect(round.offer(group(s, { policyVersion: 4 }))).toBe('held');
    expect(round.offer(group(5))).toBe('held');
    expect(round.offer(group(6, { policyVersion: 4 }))).toBe('held');
    const { round: next, decided } = round.next();
    expect(next.version).toBe(4);
    expect(decided.map(({ group: g, disposition }) => [g.sequence, disposition])).toEqual([
      [4, 'trained'],
      [5, 'expired'],
      [6, 'trained'],
      [9, 'held'],
    ]);
  });

  it('can be repeated after a crash from the last committed ledger', () => {
    const script = [group(0), group(1, { verdict: 'no_signal' }), group(2, { policyVersion: 0 })];
    const once = new RoundAssembly(start);
    once.offer(script[0]!);
    const again = new RoundAssembly(start);
    for (const g of [script[2]!, script[1]!, script[0]!]) again.offer(g);
    expect(accounting(again.committed(), 3)).toMatchObject({ trained: 1, filtered: 1, expired: 1, open: 0 });
  });
});
