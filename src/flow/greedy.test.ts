import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded.ts';
import { logSoftmax } from './fixtures/content-policy.ts';
import { GreedyChoices } from './greedy.ts';

const random = seededRandom(1);
const policy = logSoftmax([3, 2, 1]);

/** Chooses in situation 0 as often as there are results, and tells each time what came of it. */
function choices(results: readonly (string | Error)[], logProbabilities = policy): number[] {
  const greedy = new GreedyChoices();
  return results.map((result) => {
    const action = greedy.choose(0, logProbabilities, random);
    greedy.onStepResult(result instanceof Error ? { result: result.message, error: true } : { result, error: false });
    return action;
  });
}

describe('GreedyChoices', () => {
  it('takes the most likely action again and again, as long as it gives something else', () => {
    expect(choices(['20 degrees', '22 degrees', '24 degrees', '26 degrees'])).toEqual([0, 0, 0, 0]);
  });

  it('does not repeat an error in the same situation, until every action has failed', () => {
    const no = new Error('the window is open');
    expect(choices([no, no, no, no, no])).toEqual([0, 1, 2, 0, 0]);
  });

  it('draws, as in training, where the same came of the same twice', () => {
    const drawn = choices(Array<string>(3000).fill('nothing new'));
    expect(drawn.slice(0, 2)).toEqual([0, 0]);
    const share = (action: number): number => drawn.filter((a) => a === action).length / drawn.length;
    for (const action of [0, 1, 2]) expect(share(action)).toBeCloseTo(Math.exp(policy[action]!), 1);
  });

  it('draws among what has not failed', () => {
    const drawn = choices([new Error('no'), ...Array<string>(200).fill('nothing new')]);
    expect(drawn.slice(0, 3)).toEqual([0, 1, 1]);
    expect(new Set(drawn.slice(3))).toEqual(new Set([1, 2]));
  });

  it('tells situations apart', () => {
    const greedy = new GreedyChoices();
    for (let i = 0; i < 2; i++) {
      expect(greedy.choose(0, policy, random)).toBe(0);
      greedy.onStepResult({ result: 'seen', error: false });
    }
    expect(greedy.choose(1, policy, random)).toBe(0);
    greedy.onStepResult({ result: 'no', error: true });
    expect(greedy.choose(2, policy, random)).toBe(0);
    greedy.onStepResult({ result: 'seen', error: false });
    expect(greedy.choose(1, policy, random)).toBe(1);
  });
});
