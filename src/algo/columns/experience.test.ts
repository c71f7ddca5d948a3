import { describe, expect, it } from 'vitest';
import { checkColumns, trainedRewards, trainedTokens, type ExperienceColumns } from './experience.ts';

/** Two trajectories of 2 and 3 decisions, and one that failed between them; 2, 1 and 1, 3, 2 tokens. */
const columns: ExperienceColumns = {
  trajectoryLengths: [2, 0, 3],
  decisionLengths: [2, 1, 1, 3, 2],
  logProbabilities: [-1, -2, -3, -4, -5, -6, -7, -8, -9],
  mask: [],
};

describe('trainedTokens', () => {
  it('has every token of valid trajectories', () => {
    expect(trainedTokens(columns, [true, false, true])).toEqual({
      lengths: [[2, 1], [], [1, 3, 2]],
      decisions: [0, 1, 2, 3, 4],
      tokens: [0, 1, 2, 3, 4, 5, 6, 7, 8],
    });
    expect(trainedTokens(columns, [false, false, true])).toEqual({
      lengths: [[], [], [1, 3, 2]],
      decisions: [2, 3, 4],
      tokens: [3, 4, 5, 6, 7, 8],
    });
  });

  it('leaves out what the mask does, and decisions of which nothing is left', () => {
    const mask = [1, 0, 0, 1, 0, 1, 1, 0, 0];
    expect(trainedTokens({ ...columns, mask }, [true, false, true])).toEqual({
      lengths: [[1], [], [1, 2]],
      decisions: [0, 2, 3],
      tokens: [0, 3, 5, 6],
    });
  });

  it('takes decisions without lengths as one token long', () => {
    const single = { trajectoryLengths: [1, 2], decisionLengths: [], logProbabilities: [-1, -2, -3], mask: [] };
    expect(trainedTokens(single, [true, true])).toEqual({ lengths: [[1], [1, 1]], decisions: [0, 1, 2], tokens: [0, 1, 2] });
  });
});

describe('trainedRewards', () => {
  it.each([
    ['all decisions', [], [[1, 2], [], [3, 4, 5]]],
    ['the last one before a masked decision', [1, 1, 0, 1, 0, 0, 0, 1, 1], [[3], [], [7, 5]]],
    ['the first one after masked decisions', [0, 0, 1, 0, 0, 0, 0, 1, 1], [[3], [], [12]]],
    ['nobody in a trajectory that is masked', [0, 0, 0, 1, 1, 1, 1, 1, 1], [[], [], [3, 4, 5]]],
  ])('go to %s', (_, mask, expected) => {
    const masked = { ...columns, mask };
    const trained = trainedTokens(masked, [true, false, true]);
    expect(trainedRewards([[1, 2], [], [3, 4, 5]], masked, trained)).toEqual(expected);
  });
});

it.each<[string, Partial<ExperienceColumns>]>([
  ['decision_lengths', { decisionLengths: [2, 1] }],
  ['decision_lengths[1]', { decisionLengths: [2, 0, 2, 3, 2] }],
  ['log_probabilities', { logProbabilities: [-1] }],
  ['log_probabilities[3]', { logProbabilities: [-1, -2, -3, NaN, -5, -6, -7, -8, -9] }],
  ['mask', { mask: [1, 1] }],
])('checkColumns refuses a wrong %s', (field, change) => {
  expect(() => checkColumns(columns)).not.toThrow();
  expect(() => checkColumns({ ...columns, ...change })).toThrow(expect.objectContaining({ field }) as Error);
});
