import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { EstimateSchema, EvaluationSchema, JobSchema, type Evaluation, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { assumptionsOf } from './assumptions.ts';
import { convergence } from './convergence.ts';
import { monotonicity, monotonicityText } from './monotonicity.ts';
import { outcomeOf } from './outcome.ts';
import { outcomeText } from './outcome-text.ts';

type Metrics = Record<string, [value: number, low: number, high: number]>;

function evaluation(name: string, policyVersion: number, successes: number, metrics: Metrics = {}): Evaluation {
  const bounded = Object.entries(metrics).map(([metric, [value, low, high]]) => [metric, { value, low, high }] as const);
  return create(EvaluationSchema, {
    ...{ name, policyVersion, tasks: 100, successes, trajectories: BigInt(100 * policyVersion) },
    metrics: {
      success: { value: successes / 100, low: successes / 100 - 0.05, high: successes / 100 + 0.05 },
      ...Object.fromEntries(bounded),
    },
  });
}

const comparison = {
  baseline: 'test-untrained@0',
  wins: 85,
  losses: 1,
  difference: 0.84,
  low: 0.75,
  high: 0.9,
  evidence: 1e20,
  threshold: 20,
  decision: 'better',
};

function tested(cost: Metrics['cost'] = [0.02, 0.018, 0.022]): Job {
  const before = evaluation('test-untrained', 0, 5, {
    steps: [14, 13, 15],
    tool_accuracy: [0.5, 0.4, 0.6],
    cost: [0.01, 0.009, 0.011],
  });
  const after = evaluation('test-trained', 20, 89, { steps: [10, 9, 11], tool_accuracy: [0.6, 0.5, 0.7], cost: cost! });
  Object.assign(before, { types: { easy: { judged: 60, successes: 5 }, hard: { judged: 40, successes: 0 } } });
  Object.assign(after, {
    comparison,
    types: { easy: { judged: 60, successes: 59 }, hard: { judged: 40, successes: 3 }, odd: { judged: 1, successes: 1 } },
  });
  return create(JobSchema, {
    evaluations: [
      evaluation('untrained', 0, 5),
      evaluation('trained', 10, 60),
      evaluation('trained', 20, 93),
      evaluation('trained', 30, 92),
      before,
      after,
    ],
    bestCheckpoint: { version: 20 },
    progress: { ledger: { spentMicroDollars: 50_000_000n } },
  });
}

describe('outcomeOf', () => {
  it('is of the test tasks and of the version that was measured on them', () => {
    expect(outcomeOf(tested())).toMatchObject({
      ...{ taskSet: 'test', tasks: 100, validationTasks: 100, version: 20, trajectories_to_convergence: 2000 },
      success_rate: { before: { value: 0.05 }, after: { value: 0.89, ci95: [0.84, expect.closeTo(0.94, 12)] } },
      difference: { points: 84, ci95: [75, 90], decision: 'better' },
      cost_per_1000_queries: { before: { value: 10 }, after: { value: 20 } },
      avg_reward: { before: null, after: null },
    });
  });

  it('says of every metric and type what its interval shows', () => {
    const { metrics, types } = outcomeOf(tested());
    expect(metrics.map(({ metric, verdict }) => `${metric}: ${verdict}`)).toEqual([
      'success: better',
      'steps: better',
      'tool_accuracy: no difference shown',
      'cost: worse',
    ]);
    expect(types.map(({ type, before, verdict }) => [type, before, verdict])).toEqual([
      ['easy', 5 / 60, 'better'],
      ['hard', 0, 'no difference shown'],
      ['odd', null, 'no difference shown'],
    ]);
    expect(outcomeText(outcomeOf(tested()))).toContain('worse than the baseline: cost');
    expect(outcomeText(outcomeOf(tested([0.01, 0.009, 0.011])))).toContain('no metric is worse than the baseline');
  });

  it('is of the validation tasks where nothing else was measured, and says so', () => {
    const job = create(JobSchema, {
      evaluations: [evaluation('trained', 10, 60), evaluation('trained', 20, 50)],
      bestCheckpoint: { version: 10 },
    });
    expect(outcomeOf(job)).toMatchObject({
      taskSet: 'validation',
      version: 10,
      difference: null,
      success_rate: { before: null },
    });
    expect(outcomeText(outcomeOf(job))).toMatch(/^On 100 validation tasks, which also chose version 10 \(no test set/);
    expect(outcomeText(outcomeOf(create(JobSchema)))).toBe('');
  });

  it('computes ROI and pay-back time for a number of queries and a price', () => {
    const flags = { queriesPerMonth: '10000', pricePerSolved: '0.5', trainingCost: '150' };
    const { value } = outcomeOf(tested(), assumptionsOf(flags));
    // 8,400 more solved at $0.50, and one cent more for each query; $50 of calls and $150.
    expect(value).toMatchObject({
      moreSolvedPerMonth: expect.closeTo(8400, 6),
      gainPerMonth: expect.closeTo(4100, 6),
      cost: 200,
    });
    expect([value!.roi, value!.payBackMonths]).toEqual([
      expect.closeTo((12 * 4100 - 200) / 200, 6),
      expect.closeTo(200 / 4100, 6),
    ]);
    const never = outcomeOf(tested([1, 0.9, 1.1]), assumptionsOf(flags));
    expect(never.value!.payBackMonths).toBeNull();
    expect(outcomeText(never)).toContain('it never pays back');
    expect(assumptionsOf({})).toBeUndefined();
    expect(() => assumptionsOf({ queriesPerMonth: '1000' })).toThrow(/--price-per-solved: it is missing/);
    expect(() => assumptionsOf({ queriesPerMonth: 'many', pricePerSolved: '1' })).toThrow(/--queries-per-month: got "many"/);
  });
});

it('tells more steps of a policy that solves more apart from what is worse', () => {
  const job = tested([0.01, 0.009, 0.011]);
  job.evaluations.at(-1)!.metrics['steps'] = create(EstimateSchema, { value: 13, low: 12.9, high: 13.1 });
  job.evaluations.at(-2)!.metrics['steps'] = create(EstimateSchema, { value: 5, low: 4.9, high: 5.1 });
  expect(outcomeText(outcomeOf(job))).toContain('no metric is worse than the baseline (it takes more steps, and solves more)');
});

describe('monotonicity', () => {
  const of = (...successes: number[]) => monotonicity(successes.map((success, i) => evaluation('trained', i + 1, success)));

  it('compares each version with the best before it, and serves the best so far', () => {
    const course = of(20, 60, 55, 90, 84, 90, 91);
    expect(course.training).toEqual({ drops: 2, largestDrop: expect.closeTo(6, 9) as number });
    expect(course.served).toEqual({ drops: 0, largestDrop: 0, changes: 4 });
    expect(monotonicityText(course)).toBe(
      'the served policy (best so far) changed 4 times and lost at most 0.0 points; the one in training was up to 6.0 points below its best',
    );
  });

  it('has nothing to say of one evaluation or none', () => {
    for (const course of [of(), of(50)])
      expect(course).toEqual({ training: { drops: 0, largestDrop: 0 }, served: { drops: 0, largestDrop: 0, changes: 0 } });
  });
});

describe('convergence', () => {
  const of = (...successes: number[]) => convergence(successes.map((success, i) => evaluation('trained', i + 1, success)));

  it('is where success came near its best and stayed', () => {
    expect(of(20, 60, 94, 96, 93, 95)).toEqual({ converged: true, trajectories: 300, text: 'converged after 300 trajectories' });
    expect(of(90, 20, 92, 93).trajectories).toBe(300);
  });

  it('is not where success still rises, has fallen, or was hardly measured', () => {
    expect(of(20, 60, 94)).toMatchObject({
      converged: false,
      trajectories: null,
      text: 'not converged: success was still rising',
    });
    expect(of(20, 95, 96, 80).text).toBe('not converged: success ended 16.0 points below its best');
    expect(of(95).text).toMatch(/too seldom/);
  });
});
