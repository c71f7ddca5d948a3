import type { Random } from '../random/random.ts';
import { mostLikely, sampleAction, type StepResult } from './planner.ts';

/**
 * What a greedy flow remembers of its actions. A policy that decides the same in the same situation would stay in a loop for ever, which
 * sampling, as in training, gets out of. So
 *
 * - an action that answered with an error is refused in that situation;
 * - once an action gave the same result twice in a situation, the flow is stuck there.
 *
 * A situation is what the policy sees. An action may have to be repeated in one, since it may change what the policy does not see: then
 * it has another result, or is likely enough to be drawn. `A` tells actions apart.
 */
export class GreedyMemory<A extends number | string> {
  readonly #refused = new Map<number, Set<A>>();
  readonly #results = new Set<string>();
  readonly #stuck = new Set<number>();
  #last: { situation: number; action: A } | undefined;

  /** Actions that answered with an error in this situation. */
  refused(situation: number): ReadonlySet<A> | undefined {
    return this.#refused.get(situation);
  }

  isStuck(situation: number): boolean {
    return this.#stuck.has(situation);
  }

  take(situation: number, action: A): void {
    this.#last = { situation, action };
  }

  /** Notes what followed from the last action. */
  onStepResult({ result, error }: StepResult): void {
    if (this.#last === undefined) return;
    const { situation, action } = this.#last;
    const key = `${situation} ${action} ${result}`;
    if (error) {
      const refused = this.#refused.get(situation) ?? new Set();
      this.#refused.set(situation, refused.add(action));
    } else if (this.#results.has(key)) this.#stuck.add(situation);
    this.#results.add(key);
  }
}

/**
 * Greedy choices of one flow: the most likely action, as long as that leads anywhere. An action that is refused in a situation
 * ({@link GreedyMemory}) is not chosen there again until every action is; where the flow is stuck, choices are drawn from the policy, as in
 * training.
 */
export class GreedyChoices {
  readonly #memory = new GreedyMemory<number>();

  /** An open action. `situation`: what the policy sees. */
  choose(situation: number, logProbabilities: Float32Array, random: Random): number {
    const action = this.#choose(situation, logProbabilities, random);
    this.#memory.take(situation, action);
    return action;
  }

  onStepResult(step: StepResult): void {
    this.#memory.onStepResult(step);
  }

  #choose(situation: number, logProbabilities: Float32Array, random: Random): number {
    const refused = this.#memory.refused(situation);
    if (!this.#memory.isStuck(situation)) return mostLikely(logProbabilities, refused);
    const all = refused === undefined || refused.size >= logProbabilities.length;
    return sampleAction(all ? logProbabilities : logProbabilities.map((l, i) => (refused.has(i) ? -Infinity : l)), random);
  }
}
