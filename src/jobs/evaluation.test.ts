import { describe, expect, it } from 'vitest';
import { EvaluationTally, evaluationPlan, evaluationsDue, parseEvaluationKey, toProtoEvaluation } from './evaluation.ts';
import { successRate } from './success-rate.ts';

const evaluation = { every: 25, baselines: true };
const due = (version: number, rest: Partial<Parameters<typeof evaluationsDue>[0]> = {}): string[] =>
  evaluationsDue({ version, rounds: 60, evaluation, hasRule: true, done: new Set(), ...rest }).map((plan) => plan.key);

describe('evaluationsDue', () => {
  it('measures baselines first, then every so many rounds and at the end', () => {
    expect(due(0)).toEqual(['do-nothing@0', 'random@0', 'untrained@0', 'rule@0']);
    expect(due(0, { hasRule: false })).toEqual(['do-nothing@0', 'random@0', 'untrained@0']);
    expect(due(0, { evaluation: { every: 25, baselines: false } })).toEqual([]);
    expect([due(24), due(25), due(50), due(59), due(60)]).toEqual([[], ['trained@25'], ['trained@50'], [], ['trained@60']]);
    expect([
      due(25, { evaluation: { every: 0, baselines: true } }),
      due(60, { evaluation: { every: 0, baselines: true } }),
    ]).toEqual([[], ['trained@60']]);
  });

  it('measures once what a job of no rounds starts with', () => {
    expect(due(0, { rounds: 0, evaluation: { every: 0, baselines: false } })).toEqual(['trained@0']);
  });

  it('starts none twice', () => {
    expect(due(0, { done: new Set(['random@0', 'rule@0']) })).toEqual(['do-nothing@0', 'untrained@0']);
  });

  it('names evaluations so that they can be read again', () => {
    expect(parseEvaluationKey('do-nothing@0')).toEqual({ name: 'do-nothing', version: 0 });
    expect(() => parseEvaluationKey('best@3')).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => parseEvaluationKey('trained@')).toThrow(expect.objectContaining({ field: 'evaluation' }));
  });
});

describe('EvaluationTally', () => {
  const flow = (success: boolean, steps = 4, valid = true) => ({ valid, success, reward: success ? 1 : 0, steps });

  it('counts each task once and leaves failed flows out of every rate', () => {
    const tally = new EvaluationTally(evaluationPlan('trained', 40), 3);
    expect(tally.add({ taskId: 'b', flows: [flow(true, 3)] })).toBe(true);
    expect(tally.add({ taskId: 'b', flows: [flow(false)] })).toBe(false);
    tally.add({ taskId: 'a', flows: [flow(false, 6)] });
    expect(tally.complete).toBe(false);
    tally.add({ taskId: 'c', flows: [{ ...flow(false, 0, false), failure: 'TOOL_TIMEOUT' }] });
    expect(tally.complete).toBe(true);
    const record = tally.result({ trajectories: 640, trainSeconds: 12 });
    expect(record).toEqual({
      name: 'trained',
      policyVersion: 40,
      tasks: 3,
      successes: 1,
      failed: 1,
      meanReward: 0.5,
      trajectories: 640,
      trainSeconds: 12,
      meanSteps: 4.5,
      failures: { TOOL_TIMEOUT: 1 },
    });
    expect(successRate(record).success).toBe(0.5);
    expect(tally.tasks()).toEqual([
      { id: 'b', success: true, reward: 1, steps: 3 },
      { id: 'a', success: false, reward: 0, steps: 6 },
    ]);
    expect(toProtoEvaluation(record)).toMatchObject({ trajectories: 640n, tasks: 3, name: 'trained', incomplete: true });
  });

  it('is empty without tasks', () => {
    const record = new EvaluationTally(evaluationPlan('rule', 0), 0).result({ trajectories: 0, trainSeconds: 0 });
    expect(record).toMatchObject({ tasks: 0, meanReward: 0, meanSteps: 0 });
    expect(successRate(record)).toMatchObject({ success: 0, ci95: [0, 1], judged: 0, incomplete: false });
  });
});
