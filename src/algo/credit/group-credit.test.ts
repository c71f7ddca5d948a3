import { describe, expect, it } from 'vitest';
import type { RoundGroup } from '../method.ts';
import { algorithmSchema, methodOf } from '../registry.ts';
import { groupCredit } from './group-credit.ts';

const group = (seed: number): RoundGroup => ({
  rewards: [1, 0, seed, 0.5],
  valid: [true, true, true, false],
  explored: [false, false, false, false],
  stepRewards: [[0.25, 0.75], [], [0, 0, seed], []],
  advantages: [],
  behaviour: [[-1, -1], [-1, -2, -1], [-1, -1, -1], []],
});
const lengths = [2, 3, 3, 2];

describe('groupCredit', () => {
  it.each([
    { name: 'grpo' },
    { name: 'grpo', credit: { kind: 'return-to-go', gamma: 0.9 } },
    { name: 'grpo', credit: { kind: 'discounted', gamma: 0.9 }, kl: { coefficient: 0.1, estimator: 'k3' } },
    { name: 'dr-grpo' },
    { name: 'rloo', credit: { kind: 'return-to-go' } },
    { name: 'dapo' },
    { name: 'gspo' },
    { name: 'gvpo' },
    { name: 'flow-grpo' },
  ])('is what a round of several groups computes: %j', (options) => {
    const config = algorithmSchema.parse(options);
    const method = methodOf(config);
    const round = [group(0.3), group(0)].map((of) => ({ ...of, advantages: method.groupAdvantages!(of, config) }));
    const together = method.roundAdvantages?.(round, config)?.advantages;
    for (const [g, of] of round.entries()) {
      const wanted = together?.[g] ?? of.behaviour.map((decisions, i) => decisions.map(() => of.advantages[i]!));
      expect(groupCredit(of, lengths, config)).toEqual(wanted);
      expect(wanted[0]!.some((value) => value !== 0)).toBe(true);
    }
  });

  it.each([
    { name: 'ppo' },
    { name: 'vtrace' },
    { name: 'reinforce-plus-plus' },
    { name: 'reinforce-plus-plus-baseline' },
    { name: 'grpo', kl: { coefficient: 0.1, estimator: 'k1' } },
  ])('is not known of one group alone: %j', (options) => {
    expect(groupCredit(group(0), lengths, algorithmSchema.parse(options))).toBeUndefined();
  });
});
