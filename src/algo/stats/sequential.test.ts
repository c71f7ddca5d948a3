import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../random/seeded.ts';
import { eValue, sequentialTest } from './sequential.ts';

describe('eValue', () => {
  const golden: [prior: number, wins: number, losses: number, evidence: number][] = [
    [1, 20, 8, 2.9781],
    [1, 12, 2, 12.0029],
    [1, 30, 15, 2.2179],
    [1, 60, 40, 0.913],
    [1, 9, 0, 51.2],
    [0.5, 20, 8, 2.1264],
    [0.5, 12, 2, 10.8823],
    [0.5, 30, 15, 1.5119],
    [0.5, 60, 40, 0.5961],
    [0.5, 9, 0, 94.9609],
    [5, 20, 8, 3.6516],
    [5, 12, 2, 6.0148],
    [5, 30, 15, 3.4485],
    [5, 60, 40, 1.8657],
    [5, 9, 0, 7.5294],
  ];

  it.each(golden)('prior %d: %d wins, %d losses give %d', (prior, wins, losses, evidence) => {
    expect(eValue({ wins, losses }, prior)).toBeCloseTo(evidence, 4);
    expect(eValue({ wins: losses, losses: wins }, prior)).toBeCloseTo(evidence, 4);
  });

  it('is 1 before anything is known, and on average after the next pair what it was before', () => {
    expect(eValue({ wins: 0, losses: 0 })).toBeCloseTo(1, 12);
    for (const [wins, losses] of [[3, 1] as const, [40, 60] as const]) {
      const next = (eValue({ wins: wins + 1, losses }) + eValue({ wins, losses: losses + 1 })) / 2;
      expect(next).toBeCloseTo(eValue({ wins, losses }), 10);
    }
  });
});

describe('sequentialTest', () => {
  it('decides at 1 / alpha, and at K / alpha for the best of K', () => {
    expect(sequentialTest({ wins: 9, losses: 0 })).toMatchObject({ threshold: 20, decision: 'better' });
    expect(sequentialTest({ wins: 0, losses: 9 })).toMatchObject({ decision: 'worse' });
    expect(sequentialTest({ wins: 9, losses: 0 }, { candidates: 3 })).toMatchObject({ threshold: 60, decision: 'undecided' });
    expect(sequentialTest({ wins: 9, losses: 0 }, { alpha: 0.01 })).toMatchObject({ threshold: 100, decision: 'undecided' });
  });

  const [RUNS, PAIRS] = [4000, 500];

  /** By number of pairs: the fewest wins with which a test says that the candidate is better; the test is the same both ways. */
  const boundary = (decides: (wins: number, losses: number) => boolean): number[] => {
    const fewest = [1];
    for (let n = 1; n <= PAIRS; n++) {
      let wins = fewest[n - 1]!;
      while (wins <= n && !decides(wins, n - wins)) wins += 1;
      fewest.push(wins);
    }
    return fewest;
  };

  /** Share of runs that decide at any look, candidate better with probability `p`, and after how many pairs they do on average. */
  const peeking = (p: number, decides: (wins: number, losses: number) => boolean) => {
    const fewest = boundary(decides);
    const random = seededRandom('peeking');
    let [decided, length] = [0, 0];
    for (let run = 0; run < RUNS; run++) {
      let wins = 0;
      for (let n = 1; n <= PAIRS; n++) {
        if (random.uniform() < p) wins += 1;
        if (Math.max(wins, n - wins) < fewest[n]!) continue;
        decided += 1;
        length += n;
        break;
      }
    }
    return { share: decided / RUNS, pairs: length / Math.max(1, decided) };
  };
  const always = (prior: number) => (wins: number, losses: number) =>
    sequentialTest({ wins, losses }, { prior }).decision === 'better';
  const naive = (wins: number, losses: number): boolean =>
    wins + losses >= 10 && (wins - losses) / Math.sqrt(wins + losses) >= 1.96;

  it('errs in fewer than alpha of the runs that are looked at after every pair, where a z-test errs in four of ten', () => {
    for (const prior of [0.5, 1, 5]) {
      const { share } = peeking(0.5, always(prior));
      expect(share).toBeGreaterThan(0.02);
      expect(share).toBeLessThan(0.04);
    }
    const { share } = peeking(0.5, naive);
    expect(share).toBeGreaterThan(0.35);
  });

  it('finds a candidate that wins 7 of 10 after some 54 pairs', () => {
    const { share, pairs } = peeking(0.7, always(1));
    expect(share).toBeGreaterThan(0.99);
    expect(pairs).toBeGreaterThan(45);
    expect(pairs).toBeLessThan(63);
  });
});
