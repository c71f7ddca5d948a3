import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../random/seeded.ts';
import type { Arm } from './assignment.ts';
import { decide, type DecisionRule, type Verdict } from './decision.ts';
import { expectedPairs } from './expected.ts';
import { countOutcome, emptyTally, pairsOf, type Outcome } from './tally.ts';

interface Simulated {
  champion: number;
  candidate: number;
  share?: number;
  pairs?: number;
  /** What the success rates of both lose with every user. */
  drift?: number;
}

const RULE: DecisionRule = { alpha: 0.05, minPairs: 1, maxPairs: 150 };

/** One experiment on users who come one by one, looked at after every reward. Some rewards come late, some never. */
function experiment(seed: string, { champion, candidate, share = 0.5, pairs = RULE.maxPairs, drift = 0 }: Simulated) {
  const random = seededRandom(seed);
  const late: Outcome[] = [];
  let tally = emptyTally();
  for (let user = 0; ; user += 1) {
    const arm: Arm = random.uniform() < share ? 'candidate' : 'champion';
    const unit = String(user).padStart(8, '0');
    const reward = Number(random.uniform() < (arm === 'candidate' ? candidate : champion) - drift * user);
    const when = random.uniform();
    if (when < 0.1) continue;
    if (when < 0.4) {
      late.push({ unit, arm, reward });
      if (late.length < 10) continue;
    }
    const counted = countOutcome(tally, when < 0.4 ? late.shift()! : { unit, arm, reward });
    if (counted === undefined) continue;
    ({ tally } = counted);
    const { verdict } = decide(tally, { ...RULE, maxPairs: pairs });
    if (verdict !== undefined) return { verdict, pairs: pairsOf(tally) };
  }
}

/** Share of experiments that end in each way. */
function shares(runs: number, name: string, of: Simulated): Record<Verdict, number> & { pairs: number } {
  const ends = { promote: 0, rollback: 0, inconclusive: 0, pairs: 0 };
  for (let run = 0; run < runs; run += 1) {
    const { verdict, pairs } = experiment(`${name}-${run}`, of);
    ends[verdict] += 1 / runs;
    ends.pairs += pairs / runs;
  }
  return ends;
}

describe('experiments that are looked at after every reward', () => {
  it.each([
    ['half of the users', { champion: 0.6, candidate: 0.6 }],
    ['a fifth of the users', { champion: 0.9, candidate: 0.9, share: 0.2, pairs: 80 }],
    // The k-th of one arm would be compared with the k-th of the other here, which comes four times as late.
    ['a fifth of the users, as tasks get harder', { champion: 0.95, candidate: 0.95, share: 0.2, pairs: 80, drift: 0.0015 }],
  ])('promote an equal candidate in at most alpha of the seeds: %s', (name, of) => {
    const { promote, rollback } = shares(150, `equal ${name}`, of);
    expect(promote).toBeLessThanOrEqual(RULE.alpha);
    expect(promote + rollback).toBeLessThanOrEqual(RULE.alpha);
  });

  it('find 15 points within the expected sample', () => {
    const rates = { champion: 0.6, candidate: 0.75 };
    const expected = expectedPairs(rates);
    expect(expected).toBeGreaterThan(150);
    expect(expected).toBeLessThan(250);
    const { promote, rollback, pairs } = shares(100, 'better', { ...rates, pairs: 4 * expected });
    expect(promote).toBeGreaterThan(0.95);
    expect(rollback).toBeLessThan(0.01);
    expect(pairs).toBeLessThan(1.2 * expected);
  });

  it('retire a candidate that is 15 points worse', () => {
    const { promote, rollback } = shares(50, 'worse', { champion: 0.75, candidate: 0.6, pairs: 800 });
    expect(rollback).toBeGreaterThan(0.95);
    expect(promote).toBeLessThan(0.01);
  });
});

describe('expectedPairs', () => {
  it('grows as the difference shrinks, without end where there is none', () => {
    const [wide, narrow] = [0.8, 0.65].map((candidate) => expectedPairs({ champion: 0.6, candidate }));
    expect(wide).toBeLessThan(narrow!);
    expect(expectedPairs({ champion: 0.6, candidate: 0.6 })).toBe(Infinity);
    expect(expectedPairs({ champion: 0, candidate: 1 })).toBe(8);
    expect(() => expectedPairs({ champion: 1.5, candidate: 1 })).toThrow('champion');
  });
});
