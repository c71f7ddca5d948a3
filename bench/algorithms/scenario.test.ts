import { describe, expect, it } from 'vitest';
import { METHODS } from '../../src/algo/registry.ts';
import { offPolicyRows } from '../off-policy/rows.ts';
import { plan as offPolicyPlan } from '../off-policy/scenario.ts';
import { plan as efficiencyPlan } from '../sample-efficiency/scenario.ts';
import { EXAMPLES, type ExampleName } from './examples.ts';
import { namesOf } from './options.ts';
import { plan } from './scenario.ts';
import { trialConfig } from './trial.ts';

const options = { seeds: 2, set: [] };

describe('the trials of the tables', () => {
  it.each(Object.keys(EXAMPLES) as ExampleName[])('are jobs that may be created, every method on %s', (example) => {
    const trials = plan(example, Object.keys(METHODS), options);
    expect(trials).toHaveLength(2 * Object.keys(METHODS).length);
    for (const { label, setup } of trials) {
      const config = trialConfig(setup);
      expect(config.algorithm.name).toBe(label);
      expect(config.rounds).toBe(trialConfig(trials[0]!.setup).rounds);
    }
    expect(trials.map(({ setup }) => trialConfig(setup).seed)).toEqual(
      [1, 2].flatMap((seed) => Object.keys(METHODS).map(() => seed)),
    );
  });

  it('give every row of the stale groups its η, and slow the learners of all', () => {
    const trials = offPolicyPlan({ ...options, staleness: 4 });
    expect(trials).toHaveLength(2 * offPolicyRows(4).length);
    for (const { label, setup } of trials) {
      expect(trialConfig(setup).rollout.maxStaleness).toBe(label === 'η = 0' ? 0 : 4);
      expect(setup.learnerDelayMs).toBeGreaterThan(0);
    }
  });

  it('have the same number of trajectories in every row of sample efficiency', () => {
    for (const { setup } of efficiencyPlan({ ...options, trajectories: 10_000, row: [] })) {
      const { rounds, rollout } = trialConfig(setup);
      expect(Math.abs(rounds * rollout.groupSize * rollout.groupsPerRound - 10_000)).toBeLessThan(100);
    }
    const own = efficiencyPlan({ seeds: 1, set: [], trajectories: 640, row: ['rollout.groupSize=4  rollout.groupsPerRound=2'] });
    expect(own).toHaveLength(1);
    expect(trialConfig(own[0]!.setup)).toMatchObject({ rounds: 80, rollout: { groupSize: 4 } });
  });
});

describe('namesOf', () => {
  it('takes all by default, and refuses what it does not know', () => {
    expect(namesOf(undefined, ['a', 'b'])).toEqual(['a', 'b']);
    expect(namesOf('b, a', ['a', 'b'])).toEqual(['b', 'a']);
    expect(() => namesOf('c', ['a', 'b'])).toThrow(/choose from a, b/);
  });
});
