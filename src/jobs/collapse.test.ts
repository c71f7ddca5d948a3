import { describe, expect, it } from 'vitest';
import { COLLAPSE_ROUNDS, CollapseWatch, RECOVERY_ROUNDS, type RoundDecisions } from './collapse.ts';

const healthy: RoundDecisions = { choices: 100, entropy: 0.6, toolShare: 0.4, success: 0.3, steps: 6, fewestSteps: 2 };
const series = (n: number, round: Partial<RoundDecisions>): RoundDecisions[] =>
  Array.from({ length: n }, () => ({ ...healthy, ...round }));

/** Rounds, from 1, after which a collapse lasts. */
function collapsedAt(rounds: readonly RoundDecisions[], ruleSuccess?: number): number[] {
  const watch = new CollapseWatch();
  return rounds.flatMap((round, i) => (watch.add(round, ruleSuccess) === undefined ? [] : [i + 1]));
}

describe('CollapseWatch', () => {
  it('reports a wrong policy without entropy after some rounds', () => {
    const rounds = [...series(10, {}), ...series(8, { entropy: 0.005, success: 0.2 })];
    expect(collapsedAt(rounds)).toEqual([15, 16, 17, 18]);
    const watch = new CollapseWatch();
    const last = rounds.map((round) => watch.add(round)).at(-1);
    expect(last).toEqual({ rounds: 8, signs: ['entropy is 0.5 % of the possible', 'success is 20.0 %'] });
  });

  it('sees one tool used always, in the shortest episodes there are', () => {
    const rounds = [...series(3, {}), ...series(6, { entropy: 0.06, toolShare: 1, steps: 1, fewestSteps: 1, success: 0 })];
    expect(collapsedAt(rounds)).toEqual([3 + COLLAPSE_ROUNDS, 3 + COLLAPSE_ROUNDS + 1]);
    const watch = new CollapseWatch();
    expect(rounds.map((round) => watch.add(round)).at(-1)?.signs).toEqual([
      'one tool is used always',
      'episodes are as short as can be (1.0 steps)',
      'success is 0.0 %',
    ]);
  });

  it('says nothing of a policy that has converged on what is right', () => {
    expect(collapsedAt(series(50, { entropy: 0.001, toolShare: 1, success: 0.95 }))).toEqual([]);
    // The rule itself does not reach more.
    expect(collapsedAt(series(50, { entropy: 0.001, success: 0.69 }), 0.7)).toEqual([]);
    expect(collapsedAt(series(50, { entropy: 0.001, success: 0.6 }), 0.7)).not.toEqual([]);
  });

  it('ignores single tools, short episodes and a few rounds', () => {
    expect(collapsedAt(series(50, { entropy: 0.08, toolShare: 1, success: 0.1 }))).toEqual([]);
    expect(collapsedAt(series(50, { entropy: 0.08, toolShare: 1, success: 0.1, steps: 2, fewestSteps: 2 }))).toEqual([]);
    expect(collapsedAt(series(50, { entropy: 0.3, toolShare: 1, steps: 2, fewestSteps: 2, success: 0 }))).toEqual([]);
    const flicker = Array.from({ length: 60 }, (_, i) => (i % COLLAPSE_ROUNDS === 0 ? healthy : { ...healthy, entropy: 0 }));
    expect(collapsedAt(flicker)).toEqual([]);
  });

  it('ends when the policy has recovered for some rounds, and skips rounds without a choice', () => {
    const rounds = [
      ...series(COLLAPSE_ROUNDS, { entropy: 0 }),
      ...series(4, { choices: 0, entropy: 0.9 }),
      ...series(RECOVERY_ROUNDS + 2, { success: 0.5 }),
    ];
    const recovered = COLLAPSE_ROUNDS + 4 + RECOVERY_ROUNDS;
    expect(collapsedAt(rounds)).toEqual(Array.from({ length: recovered - COLLAPSE_ROUNDS }, (_, i) => COLLAPSE_ROUNDS + i));
  });
});
