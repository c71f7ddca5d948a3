import { describe, expect, it } from 'vitest';
import type { AlgorithmConfig } from '../../algo/config.ts';
import { algorithmSchema, METHODS } from '../../algo/registry.ts';
import { experienceOf } from '../experience.ts';
import type { LearnerGroup } from '../policy.ts';
import { dice } from '../planner/testing.ts';
import { tokenBatch, tokenLoss } from './token-loss.ts';

/** Tokens as probability ratios to the policy that acted, `[trajectory][decision][token]`. */
type Ratios = number[][][];

interface Case {
  group: LearnerGroup;
  logProbs: number[];
}

/** A group whose policy acted with log-probabilities of -1 and now has these ratios. */
function groupOf(ratios: Ratios, advantages: number[], mask?: number[]): Case {
  const tokens = ratios.flat(2);
  const kept = tokens.filter((_, t) => mask === undefined || mask[t] === 1);
  const behaviour = tokens.map(() => -1);
  const group: LearnerGroup = {
    experience: experienceOf({
      kind: 'test',
      codec: 'test/1',
      payload: new Uint8Array(),
      temperature: 1,
      trajectoryLengths: ratios.map((decisions) => decisions.length),
      decisionLengths: ratios.flat().map((decision) => decision.length),
      logProbabilities: behaviour,
      ...(mask && { mask: Uint8Array.from(mask) }),
    }),
    advantages,
    valid: advantages.map(() => true),
    proximal: kept.map(() => -1),
    rewards: [1, 0],
  };
  return { group, logProbs: kept.map((ratio) => -1 + Math.log(ratio)) };
}

/** The first trajectory has decisions of 2 tokens and of 1, the second one of 3. */
const RATIOS: Ratios = [[[1.1, 0.9], [1.5]], [[1, 1.1, 0.5]]];

function computed(options: object, { group, logProbs }: Case = groupOf(RATIOS, [1, -1])) {
  const config: AlgorithmConfig = algorithmSchema.parse(options);
  const batch = tokenBatch([group], config);
  const { loss, derivative } = tokenLoss(batch, logProbs, config);
  return { loss, total: batch.total, derivative: [...derivative] };
}

const near = (values: number[]) => values.map((value) => expect.closeTo(value, 6) as number);

describe('golden numbers of decisions of several tokens', () => {
  // -min(r A, clip(r) A) of the tokens: -1.1, -0.9, -1.2 (clipped) and 1, 1.1, 0.8 (clipped).
  it.each<[string, object, { loss: number; total: number; derivative: number[] }]>([
    [
      'GRPO: means over tokens',
      { name: 'grpo' },
      { loss: -3.2 / 3 + 2.9 / 3, total: 2, derivative: [-1.1 / 3, -0.9 / 3, 0, 1 / 3, 1.1 / 3, 0] },
    ],
    [
      'GRPO by decision: ratios 0.99, 1.5 and 0.55',
      { name: 'grpo', unit: 'decision' },
      { loss: (-0.99 - 1.2) / 2 + 0.8, total: 2, derivative: [-0.495, -0.495, 0, 0, 0, 0] },
    ],
    [
      'GRPO, every decision weighing the same',
      { name: 'grpo', aggregation: 'decision' },
      { loss: -1 - 1.2 + 2.9 / 3, total: 3, derivative: [-0.55, -0.45, 0, 1 / 3, 1.1 / 3, 0] },
    ],
    [
      'DAPO: the mean over all tokens',
      { name: 'dapo' },
      { loss: -1.1 - 0.9 - 1.28 + 1 + 1.1 + 0.8, total: 6, derivative: [-1.1, -0.9, 0, 1, 1.1, 0] },
    ],
    [
      'DAPO by decision',
      { name: 'dapo', unit: 'decision' },
      { loss: -0.99 - 1.28 + 0.8, total: 3, derivative: [-0.99, -0.99, 0, 0, 0, 0] },
    ],
    [
      'Dr.GRPO: the sum over tokens by a constant',
      { name: 'dr-grpo', constantLength: 4 },
      { loss: -0.075, total: 2, derivative: [-0.275, -0.225, 0, 0.25, 0.275, 0] },
    ],
    [
      'Dr.GRPO by decision',
      { name: 'dr-grpo', constantLength: 4, unit: 'decision' },
      { loss: (-0.99 - 1.2 + 0.8) / 4, total: 2, derivative: [-0.2475, -0.2475, 0, 0, 0, 0] },
    ],
    [
      'Flow-GRPO: 1/T of each decision, 1/|a| of each token',
      { name: 'flow-grpo' },
      { loss: 0.5 * -1 + 0.5 * -1.3 + 2.9 / 3, total: 2, derivative: [-0.275, -0.225, 0, 1 / 3, 1.1 / 3, 0] },
    ],
    [
      'GSPO: the ratio of a trajectory is the geometric mean of its tokens, 1.485^(1/3) and 0.55^(1/3)',
      { name: 'gspo', clipLow: 0.5, clipHigh: 0.5 },
      {
        loss: -1.1408857 + 0.8193213,
        total: 2,
        derivative: [-0.3802952, -0.3802952, -0.3802952, 0.2731071, 0.2731071, 0.2731071],
      },
    ],
    [
      'GSPO by decision: 1.485^(1/2) and 0.55',
      { name: 'gspo', clipLow: 0.5, clipHigh: 0.5, unit: 'decision' },
      { loss: -1.2186058 + 0.55, total: 2, derivative: [-0.6093029, -0.6093029, -0.6093029, 0.55, 0.55, 0.55] },
    ],
    [
      'GVPO: 0.1 ln 1.485 and 0.1 ln 0.55 against rewards of 1 and 0',
      { name: 'gvpo', beta: 0.1 },
      {
        loss: 0.2028038,
        total: 1,
        derivative: [-0.0450337, -0.0450337, -0.0450337, 0.0450337, 0.0450337, 0.0450337],
      },
    ],
    [
      'PPO: the surrogate of single tokens',
      { name: 'ppo', aggregation: 'token' },
      { loss: -3.2 + 2.9, total: 6, derivative: [-1.1, -0.9, 0, 1, 1.1, 0] },
    ],
  ])('%s', (_, options, { loss, total, derivative }) => {
    const result = computed(options);
    expect([result.loss, result.total]).toEqual(near([loss, total]));
    expect(result.derivative).toEqual(near(derivative));
  });

  it('leave masked tokens out of ratios, lengths and sums', () => {
    const masked = groupOf(RATIOS, [1, -1], [1, 0, 1, 0, 1, 1]);
    // Left: 1.1 and 1.5; 1.1 and 0.5.
    expect(computed({ name: 'grpo' }, masked)).toEqual({
      loss: expect.closeTo((-1.1 - 1.2) / 2 + (1.1 + 0.8) / 2, 9) as number,
      total: 2,
      derivative: near([-0.55, 0, 0.55, 0]),
    });
    expect(computed({ name: 'dapo', unit: 'decision' }, masked)).toEqual({
      loss: expect.closeTo(-1.1 - 1.28 + 0.8, 9) as number,
      total: 3,
      derivative: near([-1.1, 0, 0, 0]),
    });
  });
});

/** Random trajectories of random decisions of random tokens, every token's ratio between 0.75 and 1.35. */
function randomCase(seed: number): { ratios: Ratios; advantages: number[] } {
  const roll = dice(seed);
  const list = <T>(length: number, of: () => T): T[] => Array.from({ length }, of);
  const ratios = list(2 + roll(3), () => list(1 + roll(4), () => list(1 + roll(5), () => 0.75 + roll(600) / 1000)));
  return { ratios, advantages: ratios.map((_, i) => (i % 2 === 0 ? 1 : -1) * (0.3 + roll(100) / 100)) };
}

const mean = (values: number[]): number => sum(values) / values.length;
const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
const product = (values: number[]): number => values.reduce((a, b) => a * b, 1);
const clipped = (ratio: number, advantage: number, low = 0.8, high = 1.2): number =>
  -Math.min(ratio * advantage, Math.min(high, Math.max(low, ratio)) * advantage);

/** Mean losses straight from the papers' formulas, with no flat column in between. */
const PLAIN: Record<string, [object, (ratios: Ratios, advantages: number[]) => number]> = {
  grpo: [{ name: 'grpo' }, (ratios, a) => mean(ratios.map((y, i) => mean(y.flat().map((r) => clipped(r, a[i]!)))))],
  'grpo by decision': [
    { name: 'grpo', unit: 'decision' },
    (ratios, a) => mean(ratios.map((y, i) => mean(y.map((d) => clipped(product(d), a[i]!))))),
  ],
  dapo: [{ name: 'dapo' }, (ratios, a) => mean(ratios.flatMap((y, i) => y.flat().map((r) => clipped(r, a[i]!, 0.8, 1.28))))],
  'dapo by decision': [
    { name: 'dapo', unit: 'decision' },
    (ratios, a) => mean(ratios.flatMap((y, i) => y.map((d) => clipped(product(d), a[i]!, 0.8, 1.28)))),
  ],
  'dr-grpo': [
    { name: 'dr-grpo', constantLength: 20 },
    (ratios, a) => mean(ratios.map((y, i) => sum(y.flat().map((r) => clipped(r, a[i]!))) / 20)),
  ],
  'flow-grpo': [
    { name: 'flow-grpo' },
    (ratios, a) => mean(ratios.map((y, i) => mean(y.map((d) => mean(d.map((r) => clipped(r, a[i]!, 0.8, 1.3))))))),
  ],
  gspo: [
    { name: 'gspo' },
    (ratios, a) => mean(ratios.map((y, i) => clipped(product(y.flat()) ** (1 / y.flat().length), a[i]!, 0.9997, 1.0004))),
  ],
  'gspo by decision': [
    { name: 'gspo', unit: 'decision' },
    (ratios, a) => mean(ratios.map((y, i) => clipped(product(y.flat()) ** (1 / y.length), a[i]!, 0.9997, 1.0004))),
  ],
};

it.each(Object.entries(PLAIN))('%s agrees with its formula on random groups', (_, [options, formula]) => {
  for (let seed = 1; seed <= 20; seed++) {
    const { ratios, advantages } = randomCase(seed);
    const one = groupOf(ratios, advantages);
    const { loss, total } = computed(options, { ...one, group: { ...one.group, rewards: [] } });
    expect(loss / total).toBeCloseTo(formula(ratios, advantages), 9);
  }
});

describe.each(['token', 'decision'])('with unit %s', (unit) => {
  it.each(Object.keys(METHODS))('%s has the derivative of its loss', (name) => {
    const wide = { clipLow: 0.99, clipHigh: 9 };
    const parsed = [{ name, unit, ...wide }, { name, unit }, { name }].map((options) => algorithmSchema.safeParse(options));
    const config = parsed.find(({ success }) => success)!.data!;
    const { ratios, advantages } = randomCase(7);
    const { group, logProbs } = groupOf(ratios, advantages);
    const batch = tokenBatch([{ ...group, rewards: advantages, reference: logProbs.map(() => -1.1) }], config);
    const { derivative } = tokenLoss(batch, logProbs, config);
    expect(derivative.some((value) => value !== 0)).toBe(true);
    const lossAt = (t: number, step: number): number =>
      tokenLoss(
        batch,
        logProbs.map((logProb, i) => (i === t ? logProb + step : logProb)),
        config,
      ).loss;
    derivative.forEach((value, t) => expect((lossAt(t, 1e-5) - lossAt(t, -1e-5)) / 2e-5).toBeCloseTo(value, 6));
  });
});

it('a unit changes nothing where decisions are one token long', () => {
  const single: Ratios = [[[1.1], [0.9]], [[1.5]], [[0.6], [1], [1.2]]];
  for (const name of Object.keys(METHODS)) {
    if (!('unit' in algorithmSchema.parse({ name }))) continue;
    const of = (unit: string) => {
      const { group, logProbs } = groupOf(single, [1, -1, 0.5]);
      return computed({ name, unit }, { group: { ...group, rewards: [] }, logProbs });
    };
    expect(of('decision')).toEqual(of('token'));
  }
});
