import type { Random } from '../random/random.ts';
import { mostLikely, sampleAction } from './planner.ts';

/**
 * Greedy choices of one flow: the most likely action, as long as that leads anywhere. A policy that chooses the same in the same
 * situation would otherwise stay in a loop for ever, which sampling, as in training, gets out of. So
 *
 * - an action that answered with an error is not chosen again in that situation, until every action has;
 * - once an action gave the same result twice in a situation, choices there are drawn from the policy, as in training.
 *
 * A situation is what the policy sees. An action may have to be repeated in one, since it may change what the policy does not see: then
 * it has another result, or is likely enough to be drawn.
 */
export class GreedyChoices {
  readonly #refused = new Map<number, Set<number>>();
  readonly #results = new Set<string>();
  readonly #stuck = new Set<number>();
  #last = { observation: -1, action: -1 };

  /** An open action. `observation`: key of the situation. */
  choose(observation: number, logProbabilities: Float32Array, random: Random): number {
    const action = this.#choose(observation, logProbabilities, random);
    this.#last = { observation, action };
    return action;
  }

  /** Notes what came of the last choice. */
  came({ result, error }: { result: string; error: boolean }): void {
    const { observation, action } = this.#last;
    const key = `${observation} ${action} ${result}`;
    if (error) {
      const refused = this.#refused.get(observation) ?? new Set();
      this.#refused.set(observation, refused.add(action));
    } else if (this.#results.has(key)) this.#stuck.add(observation);
    this.#results.add(key);
  }

  #choose(observation: number, logProbabilities: Float32Array, random: Random): number {
    const refused = this.#refused.get(observation);
    if (!this.#stuck.has(observation)) return mostLikely(logProbabilities, refused);
    const all = refused === undefined || refused.size >= logProbabilities.length;
    return sampleAction(all ? logProbabilities : logProbabilities.map((l, i) => (refused.has(i) ? -Infinity : l)), random);
  }
}
