import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explorationSchema, curriculumSchema, type ExplorationJob } from '../config/job/exploration.ts';
import { seededRandom } from '../random/seeded.ts';
import { bucketOf } from './bucket.ts';
import { chooseTask, signalProbability, taskProbabilities } from './curriculum.ts';
import { forcedMembers, isForced } from './forced.ts';
import { NO_TOOL, observeRound, type ObservedGroup } from './observe.ts';
import { prunedTools } from './pruning.ts';
import { mixTools, mixUniform, penalise } from './proposal.ts';
import { decodeState, emptyState, encodeState } from './state.ts';
import { nextMultiplier, temperatureAt } from './temperature.ts';
import { updateValues } from './values.ts';

const job = (exploration: object = {}, curriculum: object = {}): ExplorationJob => ({
  exploration: explorationSchema.parse(exploration),
  curriculum: curriculumSchema.parse(curriculum),
  rollout: { temperature: 1 },
  rounds: 100,
});

const group = (sequence: number, taskId: string, outcomes: number[], more: Partial<ObservedGroup> = {}): ObservedGroup => ({
  request: { taskId, sequence: BigInt(sequence) },
  scores: outcomes.map((outcome) => ({ valid: true, outcome, reward: outcome, explored: false, stepRewards: [] })),
  signals: [],
  ...more,
});

describe('temperature', () => {
  const at = (config: object, round: number): number =>
    temperatureAt(explorationSchema.parse({ temperature: config }).temperature, { base: 2, round, rounds: 101, multiplier: 3 });

  it('stays, falls in a line, falls along a cosine, or is multiplied', () => {
    expect([0, 50, 100].map((round) => at({}, round))).toEqual([2, 2, 2]);
    expect([0, 25, 100, 300].map((round) => at({ schedule: 'linear', final: 1 }, round))).toEqual([2, 1.75, 1, 1]);
    const cosine = [0, 25, 50, 100].map((round) => at({ schedule: 'cosine', final: 1 }, round));
    [2, 1.5 + Math.SQRT1_2 / 2, 1.5, 1].forEach((wanted, i) => expect(cosine[i]).toBeCloseTo(wanted, 12));
    expect(at({ schedule: 'entropy', target: 1 }, 7)).toBe(6);
  });

  it('steers the entropy to its target, by bounded steps within bounds', () => {
    const config = explorationSchema.parse({ temperature: { schedule: 'entropy', target: 1, rate: 0.1 } }).temperature;
    let multiplier = 1;
    // A policy whose entropy is 0.7 at temperature 1 and grows with it.
    for (let round = 0; round < 200; round++)
      multiplier = nextMultiplier(config, { base: 1, multiplier, entropy: 0.7 * multiplier });
    expect(0.7 * multiplier).toBeCloseTo(1, 3);
    fc.assert(
      fc.property(fc.double({ min: 0.25, max: 4, noNaN: true }), fc.double({ noNaN: false }), (from, entropy) => {
        const next = nextMultiplier(config, { base: 1, multiplier: from, entropy });
        expect(next).toBeGreaterThanOrEqual(0.25);
        expect(next).toBeLessThanOrEqual(4);
        expect(Math.abs(Math.log(next / from))).toBeLessThanOrEqual(0.1 + 1e-12);
      }),
    );
    expect(nextMultiplier(config, { base: 1, multiplier: 1.5, entropy: undefined })).toBe(1.5);
  });
});

describe('bucketOf', () => {
  it('puts equal states into equal buckets of the range', () => {
    const state = fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.array(fc.float({ noNaN: true })));
    fc.assert(
      fc.property(state, fc.integer({ min: 1, max: 65_536 }), (given, buckets) => {
        const bucket = bucketOf(given, buckets);
        expect(Number.isInteger(bucket) && bucket >= 0 && bucket < buckets).toBe(true);
        expect(bucketOf(structuredClone(given), buckets)).toBe(bucket);
      }),
    );
  });

  it('keeps small numbers as they are, and tells flags apart but not what is within an eighth', () => {
    expect([0, 3, 255, 256, -1].map((n) => bucketOf(n, 256))).toEqual([0, 3, 255, 0, 255]);
    const flags = Array.from({ length: 64 }, (_, i) => Array.from({ length: 6 }, (_, bit) => (i >> bit) & 1));
    expect(new Set(flags.map((state) => bucketOf(state, 65_536))).size).toBe(64);
    expect(bucketOf([0.26, 1], 65_536)).toBe(bucketOf([0.3, 1.1], 65_536));
  });
});

describe('proposals', () => {
  const distribution = fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 }).map((weights) => {
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / total);
  });
  const total = (p: ArrayLike<number>): number => Array.from(p).reduce((a, b) => a + b, 0);

  it('are distributions that keep the policy in them', () => {
    fc.assert(
      fc.property(distribution, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 4 }), (p, share, kinds) => {
        const tools = p.map((_, i) => i % kinds);
        const names = [...new Set(tools)];
        const byTool = new Map(names.map((tool) => [tool, 1 / names.length]));
        for (const mixed of [mixUniform(p, share), mixTools(p, tools, byTool, share)]) {
          expect(total(mixed)).toBeCloseTo(1, 9);
          for (const [i, value] of mixed.entries()) expect(value).toBeGreaterThanOrEqual((1 - share) * p[i]! - 1e-12);
        }
        const penalised = penalise(p, new Set([0]), 2);
        expect(total(penalised)).toBeCloseTo(1, 9);
        if (p.length > 1) expect(penalised[0]! / penalised[1]!).toBeCloseTo((p[0]! / p[1]!) * Math.exp(-2), 6);
      }),
    );
  });

  it('leave the choice of arguments to the policy', () => {
    const mixed = mixTools(
      [0.6, 0.2, 0.2],
      [0, 0, 1],
      new Map([
        [0, 0.25],
        [1, 0.75],
      ]),
      1,
    );
    [0.1875, 0.0625, 0.75].forEach((wanted, i) => expect(mixed[i]).toBeCloseTo(wanted, 12));
    expect(
      Array.from(
        mixTools(
          [0, 0, 1],
          [0, 0, 1],
          new Map([
            [0, 0.5],
            [1, 0.5],
          ]),
          1,
        ),
      ),
    ).toEqual([0.25, 0.25, 0.5]);
  });
});

describe('forced exploration', () => {
  it('leaves two members of each kind, or none is forced', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.double({ min: 0, max: 1, noNaN: true }), (size, share) => {
        const forced = forcedMembers(size, share);
        expect(Array.from({ length: size }, (_, i) => isForced(i, size, share)).filter(Boolean)).toHaveLength(forced);
        if (forced > 0) expect([forced >= 2, size - forced >= 2]).toEqual([true, true]);
        if (share === 0) expect(forced).toBe(0);
      }),
    );
    expect(forcedMembers(16, 0.25)).toBe(4);
  });
});

describe('prunedTools', () => {
  const arm = (good: number, bad: number) => ({ good, bad, visits: good + bad, value: 0 });
  it('rules out what is worse for certain, never the best, never what is not known', () => {
    const arms = new Map([
      [0, arm(40, 4)],
      [1, arm(1, 80)],
      [2, arm(0, 5)],
      [3, arm(30, 20)],
    ]);
    const options = { z: 2.58, minVisits: 20 };
    expect([...prunedTools([0, 1, 2, 3, 4], arms, options)]).toEqual([1]);
    expect([...prunedTools([1, 2, 4], arms, options)]).toEqual([]);
    expect([...prunedTools([0, 1], undefined, options)]).toEqual([]);
    const counts = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 })), {
      minLength: 1,
      maxLength: 10,
    });
    fc.assert(
      fc.property(counts, (all) => {
        const known = new Map(all.map(([good, bad], tool) => [tool, arm(good, bad)]));
        const tools = [...known.keys()];
        expect(prunedTools(tools, known, options).size).toBeLessThan(tools.length);
      }),
    );
  });
});

describe('curriculum', () => {
  it('prefers what is uncertain and forgets no task', () => {
    expect(signalProbability({ good: 0, bad: 0 }, 16, 1)).toBeCloseTo(15 / 17, 12);
    expect(signalProbability({ good: 7, bad: 3 }, 1, 1)).toBeCloseTo(0, 12);
    // A certain success probability of 0.3: 1 − 0.3² − 0.7² of two.
    expect(signalProbability({ good: 3e7, bad: 7e7 }, 2, 0.3)).toBeCloseTo(0.42, 6);
    const ids = ['never', 'half', 'always', 'untried'];
    const tasks = new Map([
      ['never', { good: 0, bad: 48 }],
      ['half', { good: 24, bad: 24 }],
      ['always', { good: 48, bad: 0 }],
    ]);
    const p = taskProbabilities(ids, { tasks }, { floor: 0.1, sharpness: 1, groupSize: 16, prior: 0.3 });
    expect(p.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    expect(p[1]).toBeGreaterThan(p[3]!);
    expect(p[3]).toBeGreaterThan(2 * p[0]!);
    expect(p[0]).toBeCloseTo(p[2]!, 12);
    expect(Math.min(...p)).toBeGreaterThanOrEqual(0.1 / 4);
    const even = taskProbabilities(ids, { tasks }, { floor: 1, sharpness: 3, groupSize: 16, prior: 0.3 });
    for (const value of even) expect(value).toBeCloseTo(0.25, 12);
  });

  it('draws by the probabilities, without what is under way', () => {
    const random = seededRandom(3);
    const drawn = [0, 0, 0, 0];
    for (let i = 0; i < 4000; i++) drawn[chooseTask([0.1, 0.2, 0.3, 0.4], new Set([3]), random)]! += 1 / 4000;
    [1 / 6, 1 / 3, 1 / 2, 0].forEach((wanted, i) => expect(drawn[i]).toBeCloseTo(wanted, 1));
    expect(drawn[3]).toBe(0);
    expect(chooseTask([0.5, 0.5], new Set([0, 1]), random)).toBeLessThan(2);
  });
});

describe('observeRound', () => {
  it('discounts what was, and adds the policy members of each group to their task', () => {
    const curriculum = job({}, { enabled: true, decay: 0.5 });
    const first = observeRound(emptyState(), [group(0, 'a', [1, 0, 0, 1]), group(1, 'b', [0, 0])], curriculum, { version: 1 });
    expect(first.tasks.get('a')).toEqual({ good: 2, bad: 2 });
    const scores = [
      { valid: false, outcome: 1, reward: 1, explored: false, stepRewards: [] },
      { valid: true, outcome: 1, reward: 1, explored: true, stepRewards: [] },
      { valid: true, outcome: 7, reward: 7, explored: false, stepRewards: [] },
    ];
    const second = observeRound(first, [group(2, 'a', [], { scores })], curriculum, { version: 2 });
    expect(second).toMatchObject({ version: 2, temperature: 1 });
    expect(second.tasks.get('a')).toEqual({ good: 2, bad: 1 });
    expect(second.tasks.get('b')).toEqual({ good: 0, bad: 1 });
    expect(first.tasks.get('a')).toEqual({ good: 2, bad: 2 });
    expect(second.arms.size).toBe(0);
  });

  it('counts a tool once a trajectory, however often it was used', () => {
    const signals = [
      { tool: [2, 2, 1], bucket: [5, 5, 5] },
      { tool: [2], bucket: [5] },
    ];
    const state = observeRound(emptyState(), [group(0, 'a', [1, 0], { signals })], job({ statistics: true }), { version: 1 });
    const arms = state.arms.get(5)!;
    expect(arms.get(2)).toMatchObject({ good: 1, bad: 1, visits: 3 });
    expect(arms.get(1)).toMatchObject({ good: 1, bad: 0, visits: 1 });
    expect(state.tasks.size).toBe(0);
  });

  it('counts steps without a tool for the tool before them', () => {
    const signals = [{ tool: [NO_TOOL, 2, NO_TOOL, 1], bucket: [5, 5, 5, 5] }];
    const scores = [{ valid: true, outcome: 1, reward: 0, explored: false, stepRewards: [8, 4, 2, 1] }];
    const settings = job({ statistics: true, valueRate: 0.5, valueDiscount: 1 });
    const { arms } = observeRound(emptyState(), [group(0, 'a', [], { signals, scores })], settings, { version: 1 });
    expect([...arms.get(5)!.keys()].sort()).toEqual([1, 2]);
    expect(arms.get(5)!.get(2)).toMatchObject({ good: 1, bad: 0, visits: 1, value: 3 });
    expect(arms.get(5)!.get(1)).toMatchObject({ visits: 1, value: 0.5 });
  });

  it('does not depend on the order in which groups arrived, and survives a round trip', () => {
    const signals = [{ tool: [0, 1], bucket: [1, 2] }];
    const groups = [3, 1, 2].map((sequence) => group(sequence, `t${sequence}`, [sequence % 2], { signals }));
    const all = job({ statistics: true, temperature: { schedule: 'entropy', target: 2 } }, { enabled: true });
    const one = observeRound(emptyState(), groups, all, { version: 1, entropy: 1 });
    const other = observeRound(emptyState(), [...groups].reverse(), all, { version: 1, entropy: 1 });
    expect(encodeState(one)).toEqual(encodeState(other));
    expect(decodeState(encodeState(one))).toEqual(one);
    expect(one.temperature).toBeCloseTo(Math.exp(0.05 * 0.5), 12);
    // A parameter server that starts anew goes on as the one that did not.
    const next = (state: typeof one): Uint8Array => encodeState(observeRound(state, groups, all, { version: 2, entropy: 1 }));
    expect(next(decodeState(encodeState(one)))).toEqual(next(one));
  });

  it('says what is wrong with damaged bytes', () => {
    expect(decodeState(undefined)).toEqual(emptyState());
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    for (const bytes of [text('{'), text('{"format":1,"version":0,"temperature":1,"arms":[[0]],"tasks":[]}')])
      expect(() => decodeState(bytes)).toThrow(expect.objectContaining({ code: 'data_loss' }));
    expect(() => decodeState(text('{"format":2}'))).toThrow(
      expect.objectContaining({ code: 'failed_precondition', field: 'format' }),
    );
  });
});

describe('updateValues', () => {
  it('is SARSA along the trajectory', () => {
    const path = [{ value: 0.5 }, { value: 0.2 }];
    updateValues(path, (t) => [0, 1][t]!, { rate: 0.5, discount: 0.9 });
    expect(path[0]!.value).toBeCloseTo(0.5 + 0.5 * (0.9 * 0.2 - 0.5), 12);
    expect(path[1]!.value).toBeCloseTo(0.2 + 0.5 * (1 - 0.2), 12);
  });

  it('comes to the values of a policy that is followed again and again', () => {
    const [a, b] = [{ value: 0 }, { value: 0 }];
    for (let i = 0; i < 400; i++) updateValues([a, b], (t) => t, { rate: 0.1, discount: 0.5 });
    expect(b.value).toBeCloseTo(1, 6);
    expect(a.value).toBeCloseTo(0.5, 6);
  });
});
