import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_ALGORITHM, DEFAULT_OPTIMIZER } from '../../algo/config.ts';
import { grpoAdvantages } from '../../algo/grpo/advantages.ts';
import { adamW, adamWState } from '../../algo/optim/adamw.ts';
import { clipByGlobalNorm } from '../../algo/optim/clip.ts';
import { initCompute } from '../../compute/backend.ts';
import { encodeObservation, tokensToBytes } from '../planner/codec.ts';
import { plannerExperience } from '../planner/experience.ts';
import { PlannerLearner } from '../planner/learner/learner.ts';
import { createPlanner } from '../planner/planner.ts';
import type { ObservationBatch } from '../planner/observation-policy.ts';
import type { LearnerGroup } from '../policy.ts';
import { dice, smallSpec } from '../planner/testing.ts';
import { tokenize } from '../planner/tokenizer.ts';
import { computeGradients } from './gradient.ts';

beforeAll(() => initCompute());

const SPEC = smallSpec('bag', {
  tools: [
    { name: 'accept', arity: 1 },
    { name: 'refuse', arity: 1 },
  ],
  features: { state: 0, item: 0, action: 0 },
  hidden: 16,
});
const WORDS = ['red', 'green', 'blue', 'gold'];

/** Two words and a question that names one; it must be pointed to, and accepted unless it is gold. */
function question(roll: (n: number) => number): { batch: ObservationBatch; right: number } {
  const asked = roll(2);
  const first = roll(4);
  const words = [WORDS[first]!, WORDS[(first + 1 + roll(3)) % 4]!];
  const texts = [`which is ${words[asked]}`, ...words].map((text) => tokenize(text, SPEC.text));
  const items = [1, 2].map((text) => ({ text, at: -1, flags: [] }));
  const actions = [0, 1].flatMap((tool) => [0, 1].map((arg) => ({ tool, args: [arg], flags: [] })));
  const bytes = encodeObservation({ text: 0, flags: [], items, actions }, SPEC);
  return { batch: { texts, observations: [bytes] }, right: (words[asked] === 'gold' ? 2 : 0) + asked };
}

describe('the learning core', () => {
  it('learns to point at what a question names, from reward alone', () => {
    const planner = createPlanner(SPEC);
    const roll = dice(7);
    const draw = (logProbs: Float32Array): number => {
      let left = roll(1 << 20) / (1 << 20);
      const index = logProbs.findIndex((logProb) => (left -= Math.exp(logProb)) < 0);
      return index < 0 ? logProbs.length - 1 : index;
    };
    const group = (): { group: LearnerGroup; reward: number } => {
      const { batch, right } = question(roll);
      const [logProbs] = planner.logProbabilities(batch, 1);
      const actions = Array.from({ length: 8 }, () => draw(logProbs!));
      const rewards = actions.map((action) => (action === right ? 1 : 0));
      const decisions = actions.map((action) => ({ observation: [0], action: [action], logProbability: [logProbs![action]!] }));
      const experience = plannerExperience({
        texts: batch.texts.map(tokensToBytes),
        observations: [...batch.observations],
        decisions,
        temperature: 1,
      });
      const mean = rewards.reduce((sum: number, reward) => sum + reward, 0) / rewards.length;
      return { group: { experience, advantages: grpoAdvantages(rewards), valid: rewards.map(() => true) }, reward: mean };
    };

    const { values } = planner.parameters();
    const state = adamWState(values.length);
    const rewards: number[] = [];
    for (let round = 0; round < 120; round++) {
      const drawn = Array.from({ length: 8 }, group);
      rewards.push(drawn.reduce((sum, { reward }) => sum + reward, 0) / drawn.length);
      const { gradient, weight } = computeGradients(
        new PlannerLearner(planner),
        drawn.map(({ group }) => group),
        DEFAULT_ALGORITHM,
      );
      if (weight === 0) continue;
      const mean = gradient.map((value) => value / weight);
      clipByGlobalNorm(mean, DEFAULT_OPTIMIZER.maxGradientNorm);
      adamW(values, mean, state, { ...DEFAULT_OPTIMIZER, learningRate: 0.02 });
      planner.load(values);
    }
    const average = (part: number[]): number => part.reduce((sum, reward) => sum + reward, 0) / part.length;
    expect(average(rewards.slice(0, 5))).toBeLessThan(0.4);
    expect(average(rewards.slice(-10))).toBeGreaterThan(0.85);
    planner.dispose();
  });
});
