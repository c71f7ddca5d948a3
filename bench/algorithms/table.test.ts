import { describe, expect, it } from 'vitest';
import { curveOf, firstReaching, meanCurve, summarise } from './curve.ts';
import { replaceBetween } from './document.ts';
import { commonColumns, markdownTable, rowsOf, spread, STALENESS } from './table.ts';
import type { TrialResult } from './trial.ts';
import type { FinishedTrial } from './trials.ts';

const trial = (label: string, over: Partial<TrialResult>): FinishedTrial => {
  const setup = { job: 'job.yaml', overrides: [], target: 0.85 };
  const result: TrialResult = {
    setup,
    state: 'SUCCEEDED',
    error: '',
    heldOut: 0,
    toTarget: null,
    tested: null,
    curve: [],
    trajectories: 0,
    seconds: 10,
    cpuSeconds: 9,
    peakMiB: 0,
    staleness: { mean: 0, max: 0 },
    ledger: { trained: 0, filtered: 0, expired: 0, failed: 0 },
    metrics: {},
    ...over,
  };
  return { label, setup, result };
};
const point = (trajectories: number, success: number, seconds = 0) => ({ round: trajectories, trajectories, success, seconds });

describe('spread', () => {
  it('has the sample standard deviation, 0 of one value and of none', () => {
    expect(spread([1, 2, 3])).toEqual({ mean: 2, sd: 1 });
    expect(spread([5])).toEqual({ mean: 5, sd: 0 });
    expect(spread([])).toEqual({ mean: 0, sd: 0 });
  });
});

describe('a table of trials', () => {
  const trials = [
    trial('a', { heldOut: 0.8, toTarget: point(4000, 0.86, 10) }),
    trial('a', { heldOut: 1, toTarget: null, staleness: { mean: 3, max: 4 } }),
    trial('b', { state: 'FAILED', error: 'out of memory' }),
  ];

  it('has a row for each label with means over successful trials', () => {
    const [a, b] = rowsOf(trials);
    expect(a).toMatchObject({ label: 'a', seeds: 2, failed: 0, reached: 1, staleness: { mean: 1.5, max: 4 } });
    expect(a!.heldOut.mean).toBeCloseTo(0.9);
    expect(b).toMatchObject({ label: 'b', seeds: 1, failed: 1, reached: 0 });
  });

  it('is markdown as prettier writes it', () => {
    const [head, rule, a, b] = markdownTable(rowsOf(trials), [...commonColumns(0.85, 'method'), STALENESS]).split('\n');
    expect(head).toMatch(/^\| method \| held out +\| trajectories to 85 % /);
    expect(rule).toMatch(/^\| -+ \| -+ \|/);
    expect(a).toContain('| 90.0 ± 14.1 % | 4,000 (1 of 2) ');
    expect(b).toContain('| failed ');
    expect(new Set([head!.length, rule!.length, a!.length, b!.length]).size).toBe(1);
  });
});

describe('curves', () => {
  const evaluation = (name: string, policyVersion: number, successes: number, failed = 0) => ({
    name,
    policyVersion,
    tasks: 10,
    successes,
    failed,
    trajectories: BigInt(policyVersion * 100),
  });

  it('are the evaluations in training, in order, without failed flows', () => {
    const curve = curveOf(
      [evaluation('trained', 2, 6, 2), evaluation('random', 0, 9), evaluation('trained', 1, 5)],
      (v) => v / 2,
    );
    expect(curve).toEqual([
      { round: 1, trajectories: 100, success: 0.5, seconds: 0.5 },
      { round: 2, trajectories: 200, success: 0.75, seconds: 1 },
    ]);
    expect(firstReaching(curve, 0.7)?.round).toBe(2);
    expect(firstReaching(curve, 0.8)).toBeUndefined();
  });

  it('are averaged where all seeds have a point', () => {
    expect(meanCurve([[point(1, 0.2), point(2, 0.6)], [point(1, 0.4)]])).toEqual([
      { round: 1, trajectories: 1, success: expect.closeTo(0.3) as number, seconds: 0 },
    ]);
  });
});

describe('summarise', () => {
  it('takes first, last, mean and largest of what is finite', () => {
    expect(summarise([{ kl: 1 }, { kl: 3, clip: 2 }, { kl: Number.NaN }, { kl: 2 }])).toEqual({
      kl: { first: 1, last: 2, mean: 2, max: 3 },
      clip: { first: 2, last: 2, mean: 2, max: 2 },
    });
  });
});

describe('replaceBetween', () => {
  it('replaces what stands between the markers, and complains without them', () => {
    const page = 'a\n<!-- t -->\nold\n<!-- /t -->\nb';
    expect(replaceBetween(page, 't', 'new')).toBe('a\n<!-- t -->\n\nnew\n\n<!-- /t -->\nb');
    expect(replaceBetween(replaceBetween(page, 't', 'x'), 't', 'new')).toBe(replaceBetween(page, 't', 'new'));
    expect(() => replaceBetween(page, 'u', '')).toThrow(/<!-- u -->/);
  });
});
