import type { ExplorationConfig } from '../config/job/exploration.ts';
import { prunedTools } from './pruning.ts';
import type { Arm, ExplorationState } from './state.ts';
import { bestProbabilities } from './thompson.ts';

/** A state's answers for one configuration; each is computed once, since a version's flows ask the same again and again. */
export class Knowledge {
  readonly #state: ExplorationState;
  readonly #pruning: ExplorationConfig['pruning'];
  readonly #best = new Map<string, ReadonlyMap<number, number>>();
  readonly #pruned = new Map<string, ReadonlySet<number>>();

  constructor(state: ExplorationState, { pruning }: Pick<ExplorationConfig, 'pruning'>) {
    this.#state = state;
    this.#pruning = pruning;
  }

  /** Thompson sampling over the given tools in a state bucket: the probability that each is best. */
  best(bucket: number, tools: readonly number[]): ReadonlyMap<number, number> {
    return remembered(this.#best, bucket, tools, () => {
      const arms = this.#arms(bucket);
      const probabilities = bestProbabilities(tools.map((tool) => arms?.get(tool) ?? UNTRIED));
      return new Map(tools.map((tool, i) => [tool, probabilities[i]!]));
    });
  }

  /** The tools among those given that confidence bounds rule out in a state bucket. */
  pruned(bucket: number, tools: readonly number[]): ReadonlySet<number> {
    return remembered(this.#pruned, bucket, tools, () => prunedTools(tools, this.#arms(bucket), this.#pruning));
  }

  #arms(bucket: number): ReadonlyMap<number, Arm> | undefined {
    return this.#state.arms.get(bucket);
  }
}

const UNTRIED = { good: 0, bad: 0 };

function remembered<V>(known: Map<string, V>, bucket: number, tools: readonly number[], find: () => V): V {
  const key = `${bucket}:${tools.join(',')}`;
  let value = known.get(key);
  if (value === undefined) known.set(key, (value = find()));
  return value;
}
