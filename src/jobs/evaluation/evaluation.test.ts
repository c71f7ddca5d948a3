import { describe, expect, it } from 'vitest';
import { eValue } from '../../algo/stats/sequential.ts';
import { wilson } from '../../algo/stats/wilson.ts';
import { jobConfigSchema } from '../../config/job.ts';
import { createJobRecord, type EvaluationRecord, type JobRecord } from '../record.ts';
import { compareOutcomes, withEvaluation } from './compared.ts';
import { evaluationMetrics } from './metrics.ts';
import { EVALUATIONS, evaluationKey, parseEvaluationKey, type EvaluationName } from './names.ts';
import { decodeOutcomes, encodeOutcomes } from './outcomes.ts';
import { evaluationPlan, evaluationsDue, finalEvaluations, flowsPerTask } from './plans.ts';
import { toProtoEvaluation } from './proto.ts';
import { EvaluationTally } from './tally.ts';
import type { EvaluatedTask } from './task.ts';
import { successRate } from '../success-rate.ts';

const evaluation = { every: 25, baselines: true };
const due = (version: number, rest: Partial<Parameters<typeof evaluationsDue>[0]> = {}): string[] =>
  evaluationsDue({ version, rounds: 60, evaluation, hasRule: true, tasks: 100, done: new Set(), ...rest }).map(
    (plan) => plan.key,
  );

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
    for (const name of Object.keys(EVALUATIONS) as EvaluationName[])
      expect(parseEvaluationKey(evaluationKey(name, 7))).toEqual({ name, version: 7 });
    expect(() => parseEvaluationKey('best@3')).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => parseEvaluationKey('trained@')).toThrow(expect.objectContaining({ field: 'evaluation' }));
  });
});

describe('EvaluationTally', () => {
  const flow = (success: boolean, steps = 4, valid = true) => ({ valid, success, reward: success ? 1 : 0, steps });

  it('counts each task once and leaves failed flows out of every rate', () => {
    const tally = new EvaluationTally(evaluationPlan('trained', 40), 3);
    expect(tally.add({ taskId: 'b', type: 'small', flows: [flow(true, 3)] })).toBe(true);
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
      metrics: expect.objectContaining({ success: { value: 0.5, low: expect.any(Number), high: expect.any(Number) } }),
      types: { small: { judged: 1, successes: 1 } },
      outcomes: encodeOutcomes([
        { taskId: 'a', flows: [flow(false)] },
        { taskId: 'b', flows: [flow(true)] },
        { taskId: 'c', flows: [flow(false, 0, false)] },
      ]),
    });
    expect(successRate(record).success).toBe(0.5);
    expect(tally.tasks()).toEqual([
      { id: 'b', success: true, reward: 1, steps: 3 },
      { id: 'a', success: false, reward: 0, steps: 6 },
    ]);
    expect(toProtoEvaluation(record)).toMatchObject({
      trajectories: 640n,
      tasks: 3,
      name: 'trained',
      taskSet: 'validation',
      sampled: false,
      incomplete: true,
    });
  });

  it('is empty without tasks', () => {
    const record = new EvaluationTally(evaluationPlan('rule', 0), 0).result({ trajectories: 0, trainSeconds: 0 });
    expect(record).toMatchObject({ tasks: 0, meanReward: 0, meanSteps: 0 });
    expect(successRate(record)).toMatchObject({ success: 0, ci95: [0, 1], judged: 0, incomplete: false });
  });
});

const task = (taskId: string, ...successes: readonly (boolean | undefined)[]): EvaluatedTask => ({
  taskId,
  flows: successes.map((success) => ({
    ...{ valid: success !== undefined, success: success === true, reward: success ? 1 : 0 },
    ...{ steps: 4, toolErrors: success ? 0 : 2, tokens: 10, microDollars: 500 },
  })),
});

describe('evaluationMetrics', () => {
  it('gives each figure with an interval', () => {
    const metrics = evaluationMetrics([task('a', true), task('b', true), task('c', false), task('d', undefined)], 1);
    expect(Object.keys(metrics)).toEqual(['success', 'reward', 'steps', 'tool_accuracy', 'tokens', 'cost']);
    const [low, high] = wilson(2, 3);
    expect(metrics['success']).toEqual({ value: 2 / 3, low, high });
    expect(metrics['tool_accuracy']!.value).toBeCloseTo(10 / 12, 12);
    expect(metrics['cost']).toEqual({ value: 0.0005, low: 0.0005, high: 0.0005 });
    for (const { value, low: from, high: to } of Object.values(metrics))
      expect([from! <= value, value <= to!]).toEqual([true, true]);
    expect(evaluationMetrics([task('a', true)], 1)['reward']).toEqual({ value: 1 });
    expect(evaluationMetrics([], 1)).toEqual({});
  });

  it('counts a task once where it has several flows: flows of one task that are all alike are no evidence of their own', () => {
    const once = evaluationMetrics([task('a', true), task('b', false), task('c', true), task('d', true)], 1);
    const often = evaluationMetrics(
      [task('a', true, true), task('b', false, false), task('c', true, true), task('d', true, true)],
      2,
    );
    expect(often['reward']).toEqual(once['reward']);
    expect(often['success']!.high! - often['success']!.low!).toBeGreaterThan(0.5);
    expect(often['pass@1']!.value).toBe(0.75);
    const none = evaluationMetrics([task('a', false, false), task('b', false, false)], 2)['success']!;
    expect([none.value, none.low, none.high! > 0.5]).toEqual([0, 0, true]);
  });

  it('estimates pass@k from flows that were judged', () => {
    const metrics = evaluationMetrics([task('a', true, false, false, false), task('b', false, false, false, undefined)], 4);
    expect(Object.keys(metrics).filter((name) => name.startsWith('pass@'))).toEqual(['pass@1', 'pass@2', 'pass@4']);
    expect(metrics['pass@1']!.value).toBeCloseTo(0.125, 12);
    expect(metrics['pass@2']!.value).toBeCloseTo(0.25, 12);
    // Of the one task that has four.
    expect(metrics['pass@4']!.value).toBe(1);
  });
});

describe('comparisons', () => {
  const measure = (name: EvaluationName, version: number, tasks: readonly EvaluatedTask[]) => {
    const tally = new EvaluationTally(evaluationPlan(name, version), tasks.length);
    for (const one of tasks) tally.add(one);
    return tally.result({ trajectories: 0, trainSeconds: 0 });
  };
  const ids = Array.from({ length: 40 }, (_, i) => `t${String(i).padStart(2, '0')}`);
  const tasks = (solves: (i: number) => boolean | undefined) => ids.map((id, i) => task(id, solves(i)));

  it('keep how each task ended in two bits', () => {
    const some = tasks((i) => (i % 3 === 0 ? undefined : i % 2 === 0));
    expect(decodeOutcomes(encodeOutcomes(some), 40)).toEqual(
      some.map(({ flows: [flow] }) => (flow!.valid ? Number(flow!.success) : undefined)),
    );
    expect(decodeOutcomes(encodeOutcomes(some), 30)).toBeUndefined();
    expect(encodeOutcomes(Array.from({ length: 100_001 }, () => task('a', true)))).toBe('');
  });

  it('are by task, of those that both were judged on', () => {
    const candidate = measure(
      'test-trained',
      40,
      tasks((i) => i < 25),
    );
    const baseline = measure('test-untrained', 0, [...tasks((i) => (i === 0 ? undefined : i >= 20 && i < 30))].reverse());
    expect(compareOutcomes(candidate, baseline)).toMatchObject({
      ...{ baseline: 'test-untrained@0', tasks: 39, wins: 19, losses: 5, threshold: 20, decision: 'undecided' },
      evidence: expect.closeTo(eValue({ wins: 19, losses: 5 }), 9),
      difference: expect.closeTo(14 / 39, 12),
    });
    expect(compareOutcomes(candidate, measure('test-untrained', 0, tasks(() => true).slice(1)))).toBeUndefined();
  });

  it('are made as soon as both are measured, on validation at K / alpha for the K-th version; old outcomes are dropped', () => {
    const { evaluations: _, ...record } = createJobRecord({
      id: 'a',
      config: jobConfigSchema.parse({ name: 'a', flow: 'f' }),
      now: 0,
    });
    const add = (evaluations: JobRecord['evaluations'], result: EvaluationRecord) =>
      withEvaluation({ ...record, evaluations }, result);
    let evaluations = add(
      [],
      measure(
        'trained',
        10,
        tasks((i) => i < 12),
      ),
    );
    evaluations = add(
      evaluations,
      measure(
        'untrained',
        0,
        tasks(() => false),
      ),
    );
    expect(evaluations[0]!.comparison).toMatchObject({
      baseline: 'untrained@0',
      wins: 12,
      losses: 0,
      threshold: 20,
      decision: 'better',
    });
    evaluations = add(
      evaluations,
      measure(
        'trained',
        20,
        tasks((i) => i < 9),
      ),
    );
    expect(evaluations.map(({ comparison }) => comparison?.threshold)).toEqual([20, undefined, 40]);
    expect(evaluations.at(-1)!.comparison).toMatchObject({ decision: 'better', wins: 9, difference: 9 / 40 });
    evaluations = add(
      evaluations,
      measure(
        'test-trained',
        10,
        tasks((i) => i < 5),
      ),
    );
    expect(evaluations.map(({ outcomes }) => outcomes !== undefined)).toEqual([true, true, false, true]);
  });
});

describe('finalEvaluations', () => {
  it('does not run version 0 of a fork, chooses none of the other job’s versions, and nothing for a job that only measures', () => {
    const config = jobConfigSchema.parse({ name: 'a', flow: 'f' });
    const record = createJobRecord({ id: 'a', config, now: 0 });
    const trained = (policyVersion: number, successes: number): EvaluationRecord => ({
      ...{ name: 'trained', policyVersion, tasks: 10, successes, failed: 0, failures: {}, metrics: {}, types: {} },
      ...{ meanReward: 0, meanSteps: 0, trajectories: 0, trainSeconds: 0 },
    });
    const evaluations = [trained(5, 10), trained(20, 8), trained(30, 8)];
    const at = { testTasks: 10, hasRule: false };
    const keys = (of: Partial<JobRecord>) => finalEvaluations({ ...record, evaluations, ...of }, at).map(({ key }) => key);
    expect(keys({})).toEqual(['test-untrained@0', 'test-trained@5']);
    const forked = { job: 'b', version: 10, digest: '0'.repeat(64), used: 0 };
    expect(keys({ forked })).toEqual(['test-trained@30']);
    expect(keys({ forked, checkpoints: [{ version: 20, digest: '0'.repeat(64), bytes: 1, at: 0 }] })).toEqual([
      'test-trained@20',
    ]);
    expect(keys({ config: { ...config, rounds: 0 } })).toEqual([]);
    expect(keys({ config: { ...config, evaluation: { ...config.evaluation, test: false } } })).toEqual([]);
  });

  it('has a random planner run often where tasks are few', () => {
    expect([5, 93, 350, 5000].map((tasks) => flowsPerTask('random', tasks))).toEqual([8, 8, 2, 1]);
    expect(flowsPerTask('trained', 5)).toBe(1);
  });
});
