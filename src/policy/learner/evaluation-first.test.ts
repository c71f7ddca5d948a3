import { expect, it } from 'vitest';
import { algorithmSchema } from '../../algo/registry.ts';
import { experienceOf } from '../experience.ts';
import type { LossInputs, PolicyLearner, TokensOf } from '../kind.ts';
import type { LearnerGroup } from '../policy.ts';
import { computeGradients } from './gradient.ts';

/** Says the same of every token, computes two together, and counts the tokens that it is asked about. */
function counting(): { learner: PolicyLearner; evaluated: () => number; learned: () => number } {
  let [evaluated, learned] = [0, 0];
  const outputs = ({ places }: TokensOf): LossInputs => ({
    logProbs: new Float64Array(places.length).fill(-1.1),
    entropies: new Float64Array(places.length).fill(0.5),
  });
  const learner: PolicyLearner = {
    size: 1,
    load: () => undefined,
    open: () => undefined,
    evaluate([batch]) {
      evaluated += batch!.places.length;
      return outputs(batch!);
    },
    learn([batch], loss, gradient) {
      learned += batch!.places.length;
      gradient[0]! += loss(outputs(batch!)).logProbs.reduce((sum, slope) => sum + slope, 0);
    },
    microBatch: () => 2,
    dispose: () => undefined,
  };
  return { learner, evaluated: () => evaluated, learned: () => learned };
}

/** Two trajectories of one decision each: of two tokens and of three. */
const GROUP: LearnerGroup = {
  experience: experienceOf({
    ...{ kind: 'test', codec: 'test/1', payload: new Uint8Array(), temperature: 1 },
    ...{ trajectoryLengths: [1, 1], decisionLengths: [2, 3], logProbabilities: [-1, -1, -1, -1, -1] },
  }),
  ...{ advantages: [1, -0.5], valid: [true, true], rewards: [1, 0] },
};

it.each([
  ['of single tokens', 'none before it learns', { name: 'grpo' }, 0],
  ['of single tokens', 'none before it learns', { name: 'sft' }, 0],
  ['of decisions', 'all before it learns', { name: 'grpo', unit: 'decision' }, 5],
  ['of trajectories', 'all before it learns', { name: 'gspo' }, 5],
])('a loss %s asks a policy about %s', (_, __, options, evaluatedBefore) => {
  const { learner, evaluated, learned } = counting();
  const { gradient, decisions } = computeGradients(learner, [GROUP], algorithmSchema.parse(options));
  expect([evaluated(), learned(), decisions]).toEqual([evaluatedBefore, 5, 5]);
  expect(gradient[0]).not.toBe(0);
});
