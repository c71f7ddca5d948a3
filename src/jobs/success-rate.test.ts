import { describe, expect, it } from 'vitest';
import { successRate, judgementText, rateText, type EvaluationCounts } from './success-rate.ts';

const counts = (tasks: number, successes: number, failures: Record<string, number> = {}): EvaluationCounts => ({
  ...{ tasks, successes, failures },
  failed: Object.values(failures).reduce((sum, count) => sum + count, 0),
});

describe('a rate of success', () => {
  it('is of the flows that were judged, and says how many were not, and why', () => {
    const partly = counts(12, 8, { REWARD_FAILED: 4 });
    expect(successRate(partly)).toMatchObject({ success: 1, judged: 8, notJudged: 4, failures: { REWARD_FAILED: 4 } });
    expect(judgementText(partly)).toBe('8 of 8 judged, 4 not judged (REWARD_FAILED)');
    expect(rateText(partly)).toBe('100.0 %, incomplete: 8 of 8 judged, 4 not judged (REWARD_FAILED)');
    expect(judgementText(counts(10, 3, { TOOL_CRASH: 1, REWARD_FAILED: 2 }))).toBe(
      '3 of 7 judged, 3 not judged (REWARD_FAILED 2, TOOL_CRASH 1)',
    );
  });

  it('is incomplete beyond 2 % without a judgement', () => {
    expect(successRate(counts(100, 50, { TOOL_TIMEOUT: 2 })).incomplete).toBe(false);
    expect(successRate(counts(100, 50, { TOOL_TIMEOUT: 3 })).incomplete).toBe(true);
    expect(successRate(counts(49, 20, { TOOL_TIMEOUT: 1 })).incomplete).toBe(true);
    expect(rateText(counts(100, 49, { TOOL_TIMEOUT: 2 }))).toBe('50.0 %, 49 of 98 judged, 2 not judged (TOOL_TIMEOUT)');
  });

  it('is the rate alone when all were judged, and none when nobody was', () => {
    expect(rateText(counts(12, 9))).toBe('75.0 %');
    expect(successRate(counts(12, 9))).toMatchObject({ notJudged: 0, incomplete: false });
    expect(rateText(counts(4, 0, { FLOW_CRASH: 4 }))).toBe('no rate, incomplete: 0 of 0 judged, 4 not judged (FLOW_CRASH)');
    expect(successRate(counts(0, 0))).toMatchObject({ success: 0, ci95: [0, 1], judged: 0, incomplete: false });
  });

  it('takes evaluations of older builds, which know no classes', () => {
    const old = { tasks: 12, successes: 8, failed: 4 };
    expect(judgementText(old)).toBe('8 of 8 judged, 4 not judged');
    expect(judgementText({ ...old, failures: { REWARD_FAILED: 1 } })).toBe('8 of 8 judged, 4 not judged (REWARD_FAILED 1)');
  });
});
