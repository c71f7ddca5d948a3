import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import type { SearchPlan, Trial } from '../../../src/tune/search.ts';
import { shortNames, trialLine, tuneResult, tuneText, valuesText, type TuneResult } from './report.ts';

const PLAN: SearchPlan = {
  space: {
    'optimizer.learningRate': { kind: 'log', low: 1e-3, high: 2e-2, integer: false },
    'rollout.groupSize': { kind: 'choices', choices: [8, 16] },
  },
  objective: { kind: 'held-out-success' },
  trials: 4,
  initial: 2,
  seed: 1,
  halving: { rounds: [40, 80], keep: 0.5 },
};

function trial(number: number, learningRate: number, successes: number[], more: Partial<Trial> = {}): Trial {
  const measurements = successes.map((success, i) => ({ round: 40 * (i + 1), trajectories: 5120 * (i + 1), success }));
  return {
    number,
    job: `demo-tune-x-${number}`,
    values: { 'optimizer.learningRate': learningRate, 'rollout.groupSize': 8 },
    state: 'done',
    rounds: 80,
    seconds: 61.4,
    measurements,
    scores: measurements.map(({ round, success }) => ({ round, score: success })),
    ...more,
  };
}
const TRIALS = [
  trial(1, 5e-3, [0.4, 0.7]),
  trial(2, 1e-3, [0.1], { state: 'stopped', rounds: 42, seconds: 30 }),
  trial(3, 2e-2, [], { state: 'failed', rounds: 3, error: 'no learner\nanswered' }),
  trial(4, 8.123e-3, [0.5, 0.9]),
];
const FINISHED = { state: 'finished' as const, seconds: 200 };

describe('the report of a search', () => {
  it('has a row a trial, the best one marked, a plot, and settings that can be pasted', () => {
    const text = tuneText(tuneResult('demo', PLAN, TRIALS, FINISHED));
    expect(text.split('\n').slice(1, 7)).toEqual([
      'Trials (* the best)',
      '   TRIAL  learningRate  groupSize  ENDED    ROUNDS  HELD OUT    TIME',
      '       1         0.005          8  done         80    70.0 %  1m 01s',
      '       2         0.001          8  stopped      42    10.0 %     30s',
      '       3          0.02          8  failed        3         –  1m 01s',
      '*      4      0.008123          8  done         80    90.0 %  1m 01s',
    ]);
    expect(text).toContain('\ntrial 3 failed: no learner\\nanswered\n');
    const plot = /Best held-out success so far\n([^]*?) trials\n/.exec(text)![1]!;
    expect(plot).toMatch(/^ {2}90\.0 % [┤┼] .*╭─+$/m);
    expect(plot).toMatch(/^ {2}70\.0 % [┤┼]─+╯$/m);
    expect(plot).toMatch(/\n {10}1 +4$/);
    expect(text).toContain('Best: trial 4, job demo-tune-x-4: 90.0 % held out after 80 rounds\n');
    const settings = /\n\n(optimizer:\n[^]*?)\n\n/.exec(text)![1]!;
    expect(parse(settings)).toEqual({ optimizer: { learningRate: 0.008123 }, rollout: { groupSize: 8 } });
    expect(text).toContain('4 trials, 205 of 320 rounds trained (64.1 %), 3m 20s\n');
    expect(text).not.toMatch(/ $/m);
  });

  it('shows trajectories where they are what is searched for, fewer being better', () => {
    const plan: SearchPlan = { ...PLAN, objective: { kind: 'trajectories-to', target: 0.65 } };
    const scored = TRIALS.map((t) => ({
      ...t,
      scores: t.measurements.map(({ round, success, trajectories }) => ({
        round,
        score: success >= 0.65 ? -trajectories / 1e5 : -1,
      })),
    }));
    const faster = { ...trial(5, 7e-3, [0.66], { state: 'reached', rounds: 44 }), scores: [{ round: 80, score: -0.0512 }] };
    const text = tuneText(tuneResult('demo', plan, [...scored, faster], FINISHED));
    expect(text).toContain('TO 65.0 %');
    expect(text).toMatch(/^\* {6}5 .* reached +44 +5,120 +66\.0 %/m);
    expect(text).toContain('Trajectories to 65.0 %, best so far');
    expect(text).toContain('Best: trial 5, job demo-tune-x-5: 5,120 trajectories to 65.0 %');
    expect(trialLine(faster, plan)).toBe(
      'trial 5/4 · reached it in round 44 of 80 · 5,120 trajectories to 65.0 % · held out 66.0 % · 1m 01s',
    );
  });

  it('says so when there is nothing to show', () => {
    const state = { state: 'interrupted' as const, seconds: 3 };
    expect(tuneText(tuneResult('demo', PLAN, [], state))).toBe('\nNo trial has ended.\n');
    const failed = tuneResult('demo', PLAN, [TRIALS[2]!], { state: 'failed', seconds: 3 });
    expect(failed.best).toBeNull();
    expect(tuneText(failed)).toContain('No trial came to an evaluation.');
    const flat = tuneText(tuneResult('demo', PLAN, TRIALS.slice(0, 2), state));
    expect(flat).toContain('\nBest held-out success so far: 70.0 % since trial 1\n');
    expect(tuneText(tuneResult('demo', PLAN, [TRIALS[0]!], state))).toMatch(
      /1 trials, 80 of 80 rounds trained .*; interrupted\n/,
    );
  });

  it('is JSON that names the best trial', () => {
    const result = JSON.parse(JSON.stringify(tuneResult('demo', PLAN, TRIALS, FINISHED))) as TuneResult;
    expect(result).toMatchObject({
      job: 'demo',
      state: 'finished',
      best: { trial: 4, job: 'demo-tune-x-4', objective: 0.9, values: { 'rollout.groupSize': 8 } },
      rounds: { trained: 205, whole: 320 },
    });
    expect(result.trials.map(({ objective }) => objective)).toEqual([0.7, 0.1, null, 0.9]);
  });
});

describe('names of parameters', () => {
  it('are short where that is clear', () => {
    expect(shortNames(['optimizer.epsilon', 'algorithm.epsilon', 'rollout.groupSize'])).toEqual([
      'optimizer.epsilon',
      'algorithm.epsilon',
      'groupSize',
    ]);
    expect(valuesText({ 'a.b': 1, 'c.d': 'gru' })).toBe('b 1 · d gru');
  });
});
