import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eValue } from '../../algo/stats/sequential.ts';
import { assignmentOf, type Arm } from './assignment.ts';
import { decide, MOST_EVIDENCE } from './decision.ts';
import { countOutcome, emptyTally, hasUnit, MOST_WAITING, pairsOf, unitsOf, type Outcome, type Tally } from './tally.ts';

const unitOf = (n: number): string => String(n).padStart(8, '0');
const outcomes = fc.array(
  fc.record({
    unit: fc.nat(30).map(unitOf),
    arm: fc.constantFrom<Arm>('champion', 'candidate'),
    reward: fc.constantFrom(0, 0.25, 1),
  }),
  { maxLength: 60 },
);

/** The tally of all, and which were compared, by ordinal. */
function tallied(all: readonly Outcome[]): { tally: Tally; pairs: [number, number][] } {
  let tally = emptyTally();
  const pairs: [number, number][] = [];
  for (const one of all) {
    const counted = countOutcome(tally, one);
    if (counted === undefined) continue;
    ({ tally } = counted);
    if (counted.pairedWith > 0) pairs.push([counted.pairedWith, counted.ordinal]);
  }
  return { tally, pairs };
}

describe('a tally', () => {
  it('counts a unit once, and compares outcomes of different arms, each with one other', () => {
    fc.assert(
      fc.property(outcomes, (all) => {
        const first = all.filter(({ unit }, at) => all.findIndex((other) => other.unit === unit) === at);
        const { tally, pairs } = tallied(all);
        expect(unitsOf(tally)).toBe(first.length);
        expect(first.every(({ unit }) => hasUnit(tally, unit))).toBe(true);
        expect(new Set(pairs.flat()).size).toBe(2 * pairs.length);
        const signs = pairs.map((pair) => {
          const [earlier, later] = pair.map((ordinal) => first[ordinal - 1]!);
          expect(earlier!.arm).not.toBe(later!.arm);
          const sign = Math.sign(earlier!.reward - later!.reward);
          return earlier!.arm === 'candidate' ? sign : 0 - sign;
        });
        const count = (of: number): number => signs.filter((sign) => sign === of).length;
        expect([tally.wins, tally.ties, tally.losses]).toEqual([count(1), count(0), count(-1)]);
        expect(pairsOf(tally)).toBe(pairs.length);
        const sum = first.filter(({ arm }) => arm === 'candidate').reduce((total, { reward }) => total + reward, 0);
        expect(tally.sums.candidate).toBeCloseTo(sum, 9);
        expect(Math.min(tally.waiting.candidate.length, tally.waiting.champion.length)).toBe(0);
      }),
    );
  });

  it('compares the same outcomes whatever their rewards are', () => {
    fc.assert(
      fc.property(outcomes, (all) => {
        expect(tallied(all.map((one) => ({ ...one, reward: 0 }))).pairs).toEqual(tallied(all).pairs);
      }),
    );
  });

  it('takes the newest that waits, and forgets those that wait too long', () => {
    const of = (arm: Arm, from: number, count: number): Outcome[] =>
      Array.from({ length: count }, (_, i) => ({ unit: unitOf(from + i), arm, reward: 1 }));
    const { tally, pairs } = tallied([...of('champion', 0, MOST_WAITING + 5), ...of('candidate', 100, MOST_WAITING + 1)]);
    expect(pairs.slice(0, 2)).toEqual([
      [MOST_WAITING + 5, MOST_WAITING + 6],
      [MOST_WAITING + 4, MOST_WAITING + 7],
    ]);
    expect([pairs.length, tally.waiting.candidate.length]).toEqual([MOST_WAITING, 1]);
  });

  it('finds units where they begin only', () => {
    const { tally } = tallied(['aaaabbbb', 'ccccdddd'].map((unit) => ({ unit, arm: 'champion', reward: 1 })));
    expect([hasUnit(tally, 'ccccdddd'), hasUnit(tally, 'bbbbcccc')]).toEqual([true, false]);
  });
});

describe('decide', () => {
  const rule = { alpha: 0.05, minPairs: 1, maxPairs: 100 };
  const of = (wins: number, losses: number, ties = 0): Tally => ({ ...emptyTally(), wins, losses, ties });

  it('decides at E >= 1 / alpha, with the E of the paired test', () => {
    expect(decide(of(9, 0), rule)).toEqual({ evidence: eValue({ wins: 9, losses: 0 }), threshold: 20, verdict: 'promote' });
    expect(decide(of(0, 9), rule).verdict).toBe('rollback');
    expect(decide(of(12, 2), rule).verdict).toBeUndefined();
    expect(decide(of(9, 0), { ...rule, alpha: 0.01 }).verdict).toBeUndefined();
  });

  it('waits for the minimum sample, and ends without a winner at the largest', () => {
    expect(decide(of(9, 0), { ...rule, minPairs: 10 }).verdict).toBeUndefined();
    expect(decide(of(9, 0, 1), { ...rule, minPairs: 10 }).verdict).toBe('promote');
    expect(decide(of(50, 50), rule).verdict).toBe('inconclusive');
    expect(decide({ ...of(1, 1), counted: { champion: 19_000, candidate: 1_000 } }, rule).verdict).toBe('inconclusive');
  });

  it('has an E that JSON can hold', () => {
    expect(decide(of(5_000, 0), { ...rule, maxPairs: 9_000 }).evidence).toBe(MOST_EVIDENCE);
  });
});

/** As `assign` of cluster/jobs has it. */
const assign = ({ id, share }: { id: string; share: number }, key: string) =>
  assignmentOf(share, createHash('sha256').update(`${id}\n${key}`).digest());

describe('assignmentOf', () => {
  it('is sticky, keeps the share, and differs from experiment to experiment', () => {
    const keys = Array.from({ length: 1_000 }, (_, i) => `user-${i}`);
    const arms = (id: string, share: number): Arm[] => keys.map((key) => assign({ id, share }, key).arm);
    expect(arms('a', 0.3)).toEqual(arms('a', 0.3));
    const share = (of: Arm[]): number => of.filter((arm) => arm === 'candidate').length / of.length;
    expect(share(arms('a', 0.3))).toBeCloseTo(0.3, 1);
    const [a, b] = [arms('a', 0.5), arms('b', 0.5)];
    expect(a.filter((arm, i) => arm === b[i]).length / a.length).toBeCloseTo(0.5, 1);
    expect(new Set(keys.map((key) => assign({ id: 'a', share: 0.5 }, key).unit)).size).toBe(keys.length);
    expect([share(arms('a', 0)), share(arms('a', 1))]).toEqual([0, 1]);
  });
});
