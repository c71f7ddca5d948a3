import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AlgorithmConfig } from './config.ts';
import type { LossColumns, Method, RoundGroup } from './method.ts';
import { algorithmSchema, METHODS, methodOf } from './registry.ts';

const NAMES = Object.keys(METHODS) as AlgorithmConfig['name'][];
const configOf = (name: string, options: Record<string, unknown> = {}): AlgorithmConfig =>
  algorithmSchema.parse({ name, ...options });

/** Every method as it is, and what options change of its loss. */
const SETTINGS: [string, AlgorithmConfig][] = [
  ...NAMES.map((name): [string, AlgorithmConfig] => [name, configOf(name)]),
  ['grpo, k2', configOf('grpo', { kl: { coefficient: 0.3, estimator: 'k2' } })],
  ['grpo, k3', configOf('grpo', { kl: { coefficient: 0.3 }, dualClip: 3 })],
  ['gspo, k3', configOf('gspo', { kl: { coefficient: 0.3 }, clipLow: 0.4, clipHigh: 0.5 })],
  ['vtrace, k2', configOf('vtrace', { kl: { coefficient: 0.3, estimator: 'k2' } })],
  ['decoupled-ppo, k3', configOf('decoupled-ppo', { kl: { coefficient: 0.3 }, cap: 5 })],
  ['ppo, corrected', configOf('ppo', { correction: { kind: 'truncate' } })],
];

/** Two groups of trajectories of different lengths, with whatever a loss may look at. */
const shards = fc
  .record({
    lengths: fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
    numbers: fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true })),
  })
  .map(({ lengths, numbers }) => {
    const draw = (n: number, scale = 1, from = 0): number[] =>
      Array.from({ length: n }, () => from + scale * numbers.next().value!);
    const flat = lengths.flat();
    const n = flat.reduce((a, b) => a + b, 0);
    const perTrajectory = draw(flat.length, 2);
    return {
      lengths,
      logProbs: draw(n, 1, -2),
      behaviour: draw(n, 1, -2),
      proximal: draw(n, 1, -2),
      reference: draw(n, 1, -2),
      // The same for all decisions of a trajectory: GSPO has one for each.
      advantages: flat.flatMap((length, i) => new Array<number>(length).fill(perTrajectory[i]!)),
      rewards: draw(flat.length),
    };
  });

type ShardData = typeof shards extends fc.Arbitrary<infer T> ? T : never;

function columnsOf(data: ShardData, method: Method, config: AlgorithmConfig): LossColumns {
  const { lengths, ...columns } = data;
  const ends = (counts: number[]): number[] => counts.reduce<number[]>((all, count) => [...all, all.at(-1)! + count], [0]);
  return {
    ...columns,
    weights: method.weigh(singleTokens(lengths), config).weights,
    trajectoryStart: ends(lengths.flat()),
    groupStart: ends(lengths.map((group) => group.length)),
  };
}

/** Decisions of one token each, `[group][trajectory][decision]`. */
function singleTokens(lengths: readonly (readonly number[])[]): number[][][] {
  return lengths.map((group) => group.map((length) => new Array<number>(length).fill(1)));
}

/** Part of a shard: some of its groups. */
function groupsOf(data: ShardData, from: number, to: number): ShardData {
  const before = data.lengths.slice(0, from).flat();
  const inside = data.lengths.slice(from, to).flat();
  const sum = (of: number[]): number => of.reduce((a, b) => a + b, 0);
  const [first, end] = [sum(before), sum(before) + sum(inside)];
  const cut = (of: number[]): number[] => of.slice(first, end);
  return {
    lengths: data.lengths.slice(from, to),
    logProbs: cut(data.logProbs),
    behaviour: cut(data.behaviour),
    proximal: cut(data.proximal),
    reference: cut(data.reference),
    advantages: cut(data.advantages),
    rewards: data.rewards.slice(before.length, before.length + inside.length),
  };
}

describe.each(SETTINGS)('the loss of %s', (_, config) => {
  const method = methodOf(config);

  it('has the derivative that finite differences give, away from the corners', () => {
    fc.assert(
      fc.property(shards, (data) => {
        const columns = columnsOf(data, method, config);
        const at = (d: number, shift: number) => {
          const logProbs = [...data.logProbs];
          logProbs[d]! += shift;
          return method.loss({ ...columns, logProbs }, config);
        };
        const { derivative } = method.loss(columns, config);
        data.logProbs.forEach((_unused, d) => {
          const step = 1e-5;
          const [low, high] = [at(d, -step), at(d, step)];
          // A corner between the two: the derivative jumps.
          if (Math.abs(low.derivative[d]! - high.derivative[d]!) > 1e-3) return;
          expect(derivative[d]).toBeCloseTo((high.loss - low.loss) / (2 * step), 4);
        });
      }),
      { numRuns: 30 },
    );
  });

  it('adds up to the same however the groups are split', () => {
    fc.assert(
      fc.property(shards, (data) => {
        const whole = method.loss(columnsOf(data, method, config), config);
        const { total } = method.weigh(singleTokens(data.lengths), config);
        const parts = data.lengths.map((_unused, g) => groupsOf(data, g, g + 1));
        const results = parts.map((part) => method.loss(columnsOf(part, method, config), config));
        const sum = (of: number[]): number => of.reduce((a, b) => a + b, 0);
        expect(sum(results.map(({ loss }) => loss))).toBeCloseTo(whole.loss, 8);
        expect(sum(parts.map(({ lengths }) => method.weigh(singleTokens(lengths), config).total))).toBeCloseTo(total, 8);
        results
          .flatMap(({ derivative }) => [...derivative])
          .forEach((value, d) => expect(value).toBeCloseTo(whole.derivative[d]!, 8));
        for (const [name, value] of Object.entries(whole.statistics)) {
          expect(sum(results.map(({ statistics }) => statistics[name]!))).toBeCloseTo(value, 8);
        }
      }),
      { numRuns: 30 },
    );
  });
});

const GROUPWISE = NAMES.filter((name) => METHODS[name].groupAdvantages !== undefined);
const advantagesOf = (name: string, rewards: number[], valid?: boolean[], explored?: boolean[]): number[] => {
  const config = configOf(name);
  return methodOf(config).groupAdvantages!(
    { rewards, valid: valid ?? rewards.map(() => true), ...(explored && { explored }) },
    config,
  );
};

describe.each(GROUPWISE)('group advantages of %s', (name) => {
  it.each([
    ['six of 0.7', new Array<number>(6).fill(0.7)],
    ['seven of a third', new Array<number>(7).fill(1 / 3)],
    ['one member', [1]],
    ['nobody', []],
  ])('are exactly 0 for %s', (_, rewards) => {
    expect(advantagesOf(name, rewards)).toEqual(rewards.map(() => 0));
  });

  it('leave failures, NaN and infinity out of mean and deviation', () => {
    const all = advantagesOf(name, [1, NaN, 0, Infinity, 100, 0.5], [true, true, true, true, false, true]);
    const members = advantagesOf(name, [1, 0, 0.5]);
    expect(all).toEqual([members[0], 0, members[1], 0, 0, members[2]]);
    expect(advantagesOf(name, [1, 0], [true, false])).toEqual([0, 0]);
  });

  it('move with the members', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 2, maxLength: 12 }), (rewards) => {
        const turned = advantagesOf(name, [...rewards].reverse()).reverse();
        advantagesOf(name, rewards).forEach((advantage, i) => expect(turned[i]).toBeCloseTo(advantage, 8));
      }),
    );
  });

  it('compare forced exploration with its like', () => {
    const explored = [false, true, false, true, true];
    const both = advantagesOf(name, [1, 5, 0, 7, 9], undefined, explored);
    if (name === 'gvpo') {
      // Its optimum does not depend on who sampled, and its loss is about complete groups.
      expect(both).toEqual(advantagesOf(name, [1, 5, 0, 7, 9]));
      return;
    }
    const usual = advantagesOf(name, [1, 0]);
    const forced = advantagesOf(name, [5, 7, 9]);
    expect(both).toEqual([usual[0], forced[0], usual[1], forced[1], forced[2]]);
  });

  it('are of both signs, or positive only if asked for', () => {
    const config = configOf(name);
    if (!('positiveOnly' in config)) return;
    const method = methodOf(config);
    const group: RoundGroup = {
      rewards: [1, 0, 0],
      valid: [true, true, true],
      stepRewards: [[1], [0], [0]],
      behaviour: [[-1], [-1], [-1]],
      advantages: [],
      values: [[0], [0], [0]],
      proximal: [[-1], [-1], [-1]],
    };
    const perTrajectory = (options: AlgorithmConfig): number[] =>
      method.roundAdvantages?.([group], options)?.advantages[0]!.flat() ?? method.groupAdvantages!(group, options);
    const signed = perTrajectory(config);
    expect(signed[1]).toBeLessThan(0);
    const positive = perTrajectory(configOf(name, { positiveOnly: true }));
    expect(positive).toEqual([signed[0], 0, 0]);
  });
});
