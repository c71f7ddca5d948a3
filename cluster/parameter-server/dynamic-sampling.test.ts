import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ScoredGroupSchema, type ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { refillDraws } from '../../src/jobs/round.ts';
import { unsuitableTasks } from './dynamic-sampling.ts';
import { algorithmSchema } from '../../src/algo/registry.ts';

const group = (outcomes: readonly number[], valid = true): ScoredGroup =>
  create(ScoredGroupSchema, { scores: outcomes.map((outcome) => ({ outcome, success: outcome >= 1, valid })) });

describe('dynamic sampling', () => {
  it('is what a method with refill asks for', () => {
    expect(refillDraws(algorithmSchema.parse({ name: 'dapo', refill: { draws: 3 } }))).toBe(3);
    expect(refillDraws(algorithmSchema.parse({ name: 'grpo' }))).toBeUndefined();
  });

  it('says whether tasks are too easy or too hard, and what to do', () => {
    expect(unsuitableTasks([group([1, 1]), group([1, 1]), group([0, 0])], 2)).toMatch(
      /^tasks too easy: 3 groups drawn and fewer than 2 had outcomes that differ \(67 % of the trajectories succeeded\); .*harder tasks/,
    );
    expect(unsuitableTasks([group([0, 0]), group([1, 1], false)], 2)).toMatch(
      /^tasks too hard: 2 groups .* \(0 % .*easier tasks/,
    );
    expect(unsuitableTasks([], 2)).toMatch(/^tasks too hard: 0 groups/);
  });
});
