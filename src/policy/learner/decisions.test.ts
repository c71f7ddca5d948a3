import { describe, expect, it } from 'vitest';
import { algorithmSchema } from '../../algo/registry.ts';
import { plannerExperience } from '../planner/experience.ts';
import type { LearnerGroup } from '../policy.ts';
import { weighedDecisions } from './decisions.ts';

/** Two trajectories of one decision each, whose advantages are 0. */
const silent: LearnerGroup = {
  experience: plannerExperience({
    texts: [],
    observations: [Uint8Array.of(1), Uint8Array.of(2)],
    decisions: [0, 1].map((observation) => ({ observation: [observation], action: [0], logProbability: [-1] })),
    temperature: 1,
  }),
  advantages: [0, 0],
  valid: [true, true],
  decisionAdvantages: [0, 0],
};

function groupsOf(name: string, group: LearnerGroup): number {
  const config = algorithmSchema.parse({ name });
  return weighedDecisions([group], config).groups.length;
}

describe('weighedDecisions', () => {
  it('leaves out groups whose advantages are all 0, unless a value head learns from them', () => {
    expect(groupsOf('grpo', silent)).toBe(0);
    expect(groupsOf('ppo', { ...silent, valueTargets: [1, 0], values: [0.5, 0.5] })).toBe(1);
    expect(groupsOf('ppo', { ...silent, valueTargets: [], values: [] })).toBe(0);
  });
});
