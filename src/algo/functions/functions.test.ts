import { describe, expect, it } from 'vitest';
import * as millrace from '../../math.ts';
import { MillraceError } from '../../errors.ts';

const near = (values: readonly number[], digits = 6) => values.map((value) => expect.closeTo(value, digits) as number);
const zeros = (values: readonly number[]): boolean => values.every((value) => Object.is(value, 0));

/** The field that a call complains about. */
function fieldOf(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    expect(error).toMatchObject({ code: 'invalid_argument' });
    return (error as MillraceError).field;
  }
  return 'no error';
}

describe('golden numbers of the public functions', () => {
  it('group advantages', () => {
    const rewards = [1, 1, 0, 0, 1, 0, 0, 0];
    expect(millrace.grpoAdvantages(rewards).slice(1, 3)).toEqual(near([1.207381, -0.724429]));
    expect(millrace.drGrpoAdvantages(Float32Array.from(rewards)).slice(1, 3)).toEqual([0.625, -0.375]);
    expect(millrace.rlooAdvantages([1, 0, 0])).toEqual(near([1, -0.5, -0.5]));
    expect(millrace.grpoAdvantages([1e200, 0, 0])).toEqual(near([1.1547005, -0.5773503, -0.5773503]));
    expect(millrace.grpoAdvantages([1e308, 1e308, -1e308], { std: 'none' })[2]).toBeCloseTo(-4 / 3e-308, 0);
    expect([millrace.hasSignal([1, 1, NaN]), millrace.hasSignal([1, 0]), millrace.hasSignal([5])]).toEqual([false, true, false]);
    expect([millrace.hasSignal([30000000.000000004, 3e7]), millrace.hasSignal([1e-10, 0])]).toEqual([false, true]);
  });

  it('critics, with their defaults', () => {
    const [rewards, values] = [
      [1, 0, 2, -1],
      [0.5, 0.2, 0.1, 0.4],
    ];
    const { advantages } = millrace.generalizedAdvantages(rewards!, values!, { bootstrap: 0.3, gamma: 0.9, lambda: 0.95 });
    expect(advantages).toEqual(near([1.531787, 0.996242, 1.29385, -1.13]));
    expect(millrace.generalizedAdvantages([1], [0.5])).toEqual({ advantages: [0.5], returns: [1] });
    expect(millrace.generalizedAdvantages([0, 1], [0, 0]).advantages).toEqual(near([0.99 * 0.95, 1]));
    const { targets, advantages: pg } = millrace.vtrace([0.5, 2, 1.2, 0.8], rewards!, values!, { bootstrap: 0.3, gamma: 0.9 });
    expect(targets).toEqual(near([1.376292, 1.39176, 1.5464, -0.504]));
    expect(pg).toEqual(near([0.876292, 1.19176, 1.4464, -0.904]));
    expect(millrace.potentialShaping([1, 2])).toEqual(near([0.98, -2]));
  });

  it('returns to go that differ in their timing alone', () => {
    expect(
      millrace.leaveOneOutReturnsToGo([
        [1, 0],
        [0, 1],
      ]),
    ).toEqual([
      [0, -1],
      [0, 0],
    ]);
    const third = [0, 1 / 3];
    expect(millrace.leaveOneOutReturnsToGo(new Array<number[]>(7).fill(third)).every(zeros)).toBe(true);
    expect(millrace.leaveOneOutReturnsToGo(Array.from({ length: 200_000 }, (_, i) => [i]))).toHaveLength(200_000);
  });

  it('the divergence is cut off once, value and derivative alike', () => {
    const { value, derivative } = millrace.klEstimate([-25, 25, -1], [0, 0, -1]);
    expect(value).toEqual([Math.exp(20) - 21, Math.exp(-20) + 20 - 1, 0]);
    expect(zeros(derivative)).toBe(true);
  });

  it('defaults of the losses are those of the methods', () => {
    expect(millrace.clippedSurrogate([0.5, -0.5], [0, 0], [1, -1]).loss).toEqual(near([-1.2, 0.8], 12));
    expect(millrace.sequenceSurrogate({ logProbs: [0.1], oldLogProbs: [0], start: [0, 1], advantages: [1] }).loss).toEqual(
      near([-1.0004], 12),
    );
    expect(millrace.gvpoLoss({ logProbs: [0, 0], proximal: [0, 0], start: [0, 1, 2], rewards: [1, 0] }).derivative).toEqual(
      near([-0.05, 0.05], 12),
    );
    expect(millrace.proximalWeights([1, 0], [0, 0])).toEqual([2, 1]);
    expect(millrace.correctionWeights([1, 0], [0, 0])).toEqual([2, 1]);
    expect(millrace.correctionWeights([1, 1], [0, 0], { level: 'trajectory' })).toEqual([5, 5]);
    expect(millrace.valueLoss([1], [0], [1]).loss).toBe(0.5);
  });

  it('a failed member was never in the group of GVPO', () => {
    const without = millrace.gvpoLoss({ logProbs: [0.1, 0.3], proximal: [0, 0], start: [0, 1, 2], rewards: [1, 0] });
    const withOne = millrace.gvpoLoss({
      logProbs: [0.1, 0.2, 0.3],
      proximal: [0, 0, 0],
      start: [0, 1, 2, 3],
      rewards: [1, NaN, 0],
    });
    expect(withOne.loss).toBe(without.loss);
    expect(withOne.derivative).toEqual([without.derivative[0], 0, without.derivative[1]]);
    const masked = millrace.gvpoLoss(
      { logProbs: [0.1, 0.2, 0.3], proximal: [0, 0, 0], start: [0, 1, 2, 3], rewards: [1, 7, 0] },
      { valid: [true, false, true] },
    );
    expect(masked).toEqual(withOne);
  });

  it('there is no negative zero where nothing is to be done', () => {
    const clipped = millrace.clippedSurrogate([0, 1e4], [0, 0], [0, 0]);
    expect([clipped.loss, clipped.derivative, clipped.clipped].every(zeros)).toBe(true);
    const sequence = millrace.sequenceSurrogate({ logProbs: [0.5], oldLogProbs: [0], start: [0, 1], advantages: [0] });
    expect([sequence.loss, sequence.derivative, sequence.clipped].every(zeros)).toBe(true);
    const columns = { logProbs: [0.5, 0], behaviour: [0, 0], proximal: [0, 0], advantages: [0, 1], weights: [1, 0] };
    expect(zeros(millrace.surrogateLoss(columns).derivative)).toBe(true);
    expect(zeros(millrace.decoupledLoss(columns).derivative)).toBe(true);
    expect(Object.is(millrace.surrogateLoss(columns).loss, 0)).toBe(true);
  });

  it('truncated importance sampling has its weights in the advantages', () => {
    const columns = { logProbs: [0, 0], behaviour: [-1, 1], proximal: [0, 0], advantages: [1, -1], weights: [1, 1] };
    const { loss, statistics } = millrace.truncatedLoss(columns, { correction: { kind: 'truncate' } });
    expect(loss).toBeCloseTo(-2 + Math.exp(-1), 12);
    expect(statistics['correctionWeight']).toBeCloseTo(2 + Math.exp(-1), 12);
    const whole = { ...columns, trajectoryStart: [0, 2] };
    expect(millrace.truncatedLoss(whole, { correction: { kind: 'truncate', level: 'trajectory' } }).loss).toBe(0);
    const far = { ...columns, behaviour: [-1e4, 1e4] };
    const { proximalRatio } = millrace.surrogateLoss(far, { correction: { kind: 'truncate' } }).statistics;
    expect(proximalRatio).toBeCloseTo(Math.exp(20), 0);
  });

  it('aggregation', () => {
    const losses = [[1, 3], [5], []];
    expect(millrace.aggregate(losses, 'trajectory')).toBe(3.5);
    expect(millrace.aggregate(losses, 'decision')).toBe(3);
    expect(millrace.aggregate(losses, 'constant', { constantLength: 4 })).toBe(9 / 8);
    expect(millrace.aggregate([], 'decision')).toBe(0);
    expect(millrace.weighDecisions([[2, 0]], 'trajectory')).toEqual({ weights: [0.5, 0.5], total: 1 });
    expect(millrace.weighDecisions([[2, 0]], 'constant', 4)).toEqual({ weights: [0.25, 0.25], total: 1 });
  });

  it('the entropy and its derivative', () => {
    const logits = [0.3, -0.2, 0.5];
    const { entropy, derivative } = millrace.entropyBonus(logits, 2);
    logits.forEach((_, j) => {
      const at = (h: number) =>
        millrace.entropyBonus(
          logits.map((x, i) => (i === j ? x + h : x)),
          2,
        ).entropy;
      expect(derivative[j]).toBeCloseTo((at(1e-6) - at(-1e-6)) / 2e-6, 8);
    });
    expect(entropy).toBeLessThan(Math.log(3));
    expect(millrace.entropyBonus([7])).toEqual({ entropy: 0, derivative: [0] });
    expect(millrace.entropyBonus([])).toEqual({ entropy: 0, derivative: [] });
  });

  it('the optimiser changes nothing in place', () => {
    const [parameters, m] = [
      [1, 2],
      [0, 0],
    ] as const;
    const after = millrace.adamWStep(parameters, [0.5, -1], { m, v: [0, 0], step: 1 }, { learningRate: 0.1, weightDecay: 0.1 });
    expect(after.parameters).toEqual(near([1 - 0.1 * 1.1, 2 + 0.1 * 0.8]));
    expect(after.m).toEqual(near([0.05, -0.1], 12));
    expect(after.v).toEqual(near([0.00025, 0.001], 12));
    expect([parameters, m]).toEqual([
      [1, 2],
      [0, 0],
    ]);
    const gradient = [3, 4];
    expect(millrace.clipGradient(gradient, 1)).toEqual({ gradient: near([0.6, 0.8], 12), norm: 5 });
    expect([gradient, millrace.globalNorm(gradient)]).toEqual([[3, 4], 5]);
    expect(millrace.learningRateAt(5, 11, { learningRate: 1, finalLearningRate: 0.1 })).toBeCloseTo(0.55, 12);
  });

  it('dynamic sampling ends with a word', () => {
    const draws = { informative: 3, needed: 4, draws: 10, successRate: 0.9 };
    expect(millrace.dynamicSampling(draws)).toBe('too easy');
    expect(millrace.dynamicSampling({ ...draws, successRate: 0.1 })).toBe('too hard');
    expect(millrace.dynamicSampling({ ...draws, draws: 9 })).toBe('draw');
    expect(millrace.dynamicSampling({ ...draws, informative: 4 })).toBe('enough');
  });
});

describe('arguments of the public functions', () => {
  const columns = { logProbs: [0, 0], behaviour: [0], advantages: [1, 1], weights: [1, 1] };
  const pair = { ...columns, behaviour: [0, 0] };
  it.each<[string, () => unknown]>([
    ['valid', () => millrace.grpoAdvantages([1, 0, 1], { valid: [true] })],
    ['std', () => millrace.grpoAdvantages([1, 0], { std: 'smaple' as 'sample' })],
    ['epsilon', () => millrace.grpoAdvantages([1, 0], { epsilon: NaN })],
    ['rewards', () => (millrace.grpoAdvantages as () => unknown)()],
    ['valid', () => millrace.rlooAdvantages([1, 0, 1], { valid: [true] })],
    ['valid[0]', () => millrace.reinforcePlusPlusAdvantages([[1, 0]], { valid: [[true]] })],
    ['valid', () => millrace.leaveOneOutReturnsToGo([[1], [0]], { valid: [true] })],
    ['values', () => millrace.generalizedAdvantages([1, 2], [0, 0, 0])],
    ['values', () => millrace.generalizedAdvantages([1, 2], [0])],
    ['rewards[1]', () => millrace.generalizedAdvantages([1, NaN], [0, 0])],
    ['gamma', () => millrace.generalizedAdvantages([1], [0], { gamma: 2 })],
    ['ratios[0]', () => millrace.vtrace([-1], [1], [0])],
    ['ratios', () => millrace.vtrace([1], [1, 1], [0, 0])],
    ['length', () => millrace.broadcast(1, -1)],
    ['oldLogProbs', () => millrace.clippedSurrogate([0, 0], [0], [1, 1])],
    ['dualClip', () => millrace.clippedSurrogate([0], [0], [1], { dualClip: 0.5 })],
    ['clipLow', () => millrace.clippedSurrogate([0], [0], [1], { clipLow: -0.1 })],
    ['start', () => millrace.sequenceSurrogate({ logProbs: [0, 0], oldLogProbs: [0, 0], start: [0, 1], advantages: [1] })],
    [
      'advantages',
      () => millrace.sequenceSurrogate({ logProbs: [0, 0], oldLogProbs: [0, 0], start: [0, 1, 2], advantages: [1] }),
    ],
    ['rewards', () => millrace.gvpoLoss({ logProbs: [0, 0], proximal: [0, 0], start: [0, 1, 2], rewards: [1] })],
    ['behaviour', () => millrace.surrogateLoss(columns)],
    ['reference', () => millrace.surrogateLoss(pair, { kl: { coefficient: 0.1 } })],
    ['proximal', () => millrace.decoupledLoss(pair)],
    ['trajectoryStart', () => millrace.truncatedLoss({ ...pair, proximal: [0, 0] }, { correction: { level: 'trajectory' } })],
    ['oldValues', () => millrace.valueLoss([1], [1], [1], { clip: 0.2 })],
    ['targets', () => millrace.valueLoss([1, 1], [1], [1, 1])],
    ['estimator', () => millrace.klEstimate([1], [0], 'k4' as 'k3')],
    ['kind', () => millrace.correctionWeights([1], [0], { kind: 'clip' as 'mask' })],
    ['behaviour', () => millrace.proximalWeights([1, 1], [0])],
    ['constantLength', () => millrace.decisionWeights([2], 'constant', 0)],
    ['constantLength', () => millrace.aggregate([[1]], 'constant')],
    ['aggregation', () => millrace.decisionWeights([2], 'group' as 'decision')],
    ['lengths[0]', () => millrace.decisionWeights([1.5], 'decision')],
    ['gradient', () => millrace.adamWStep([1], [1, 2], { m: [0], v: [0], step: 1 }, { learningRate: 1 })],
    ['step', () => millrace.adamWStep([1], [1], { m: [0], v: [0], step: 0 }, { learningRate: 1 })],
    ['maxNorm', () => millrace.clipGradient([1], -1)],
    ['successRate', () => millrace.dynamicSampling({ informative: 0, needed: 1, draws: 1, successRate: 2 })],
  ])('%s is named', (field, call) => {
    expect(fieldOf(call)).toBe(field);
  });
});

describe('parseAlgorithm', () => {
  it('fills in defaults, and says why not', () => {
    expect(millrace.parseAlgorithm()).toEqual(millrace.DEFAULT_ALGORITHM);
    expect(() => millrace.parseAlgorithm({ name: 'dapo', aggregation: 'trajectory' })).toThrow(
      /aggregation: got "trajectory", expected one of token, decision: its loss/,
    );
    expect(() => millrace.parseAlgorithm({ name: 'vtrace', epochs: 2 })).toThrow(/nothing holds the policy near it/);
    expect(fieldOf(() => millrace.parseAlgorithm({ correction: { kind: 'none', cap: 3 } }))).toBe('correction.cap');
    expect(fieldOf(() => millrace.parseAlgorithm({ name: 'gvpo', std: 'none' }))).toBe('std');
  });
});
