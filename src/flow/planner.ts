import type { Random } from '../random/random.ts';
import type { FlowDefinition } from './define.ts';
import { flowCrash, inFlow } from './failure.ts';
import type { PreparedPlan } from './plan.ts';

/** What a planner picked. */
export interface Choice {
  /** Index into `plan.actions`. */
  action: number;
  /** log-probability of that action under whoever picked it. */
  logProbability: number;
  /** Entropy over the open actions, in nats. */
  entropy: number;
  /** Index in the group's SituationTable; absent when nothing is learned from the choice. */
  situation?: number | undefined;
  /** State features as the policy saw them. */
  stateFlags?: readonly number[] | undefined;
}

/** Port: whoever decides in a flow. `undefined` ends the flow. Called only with at least one open action. */
export interface Planner {
  choose(plan: PreparedPlan, random: Random): Choice | undefined | Promise<Choice | undefined>;
  /** Hears what came of each of its choices, as it is recorded. */
  came?(step: { result: string; error: boolean }): void;
}

/** Picks uniformly among the open actions. */
export const randomPlanner: Planner = {
  choose({ plan }, random) {
    const open = plan.actions.length;
    return { action: random.integer(open), logProbability: -Math.log(open), entropy: Math.log(open) };
  },
};

/** Ends every flow at once. */
export const nothingPlanner: Planner = {
  choose: () => undefined,
};

/** The flow's own hand-written planner; a flow without one is a FLOW_CRASH. */
export function rulePlanner<M>(flow: Pick<FlowDefinition<any, M>, 'rule' | 'name'>): Planner {
  return {
    choose({ plan, memory }) {
      const { rule } = flow;
      if (rule === undefined) throw flowCrash('rule', `flow '${flow.name}' has no rule planner`);
      const action = inFlow('rule', () => rule.call(flow, memory as M, plan));
      if (!Number.isInteger(action) || action < 0 || action >= plan.actions.length)
        throw flowCrash('rule', `must return the index of one of the ${plan.actions.length} open actions, got ${action}`);
      return { action, logProbability: 0, entropy: 0 };
    },
  };
}

/** Draws an action from log-probabilities. One number of `random` decides, whoever else was in the policy's batch. */
export function sampleAction(logProbabilities: ArrayLike<number>, random: Random): number {
  const n = logProbabilities.length;
  let total = 0;
  for (let i = 0; i < n; i++) total += Math.exp(logProbabilities[i]!);
  let left = random.uniform() * total;
  for (let i = 0; i < n; i++) {
    left -= Math.exp(logProbabilities[i]!);
    if (left < 0) return i;
  }
  // Rounding left a crumb of probability after the last action.
  return mostLikely(logProbabilities);
}

/** The first of the most likely actions that are not in `refused`; of all when every one is. */
export function mostLikely(logProbabilities: ArrayLike<number>, refused?: ReadonlySet<number>): number {
  const n = logProbabilities.length;
  let best = -1;
  for (let i = 0; i < n; i++) {
    if (refused !== undefined && refused.size < n && refused.has(i)) continue;
    if (best < 0 || logProbabilities[i]! > logProbabilities[best]!) best = i;
  }
  return best;
}

/** Entropy in nats of a distribution given by its log-probabilities. */
export function entropyOf(logProbabilities: ArrayLike<number>): number {
  let entropy = 0;
  for (let i = 0; i < logProbabilities.length; i++) {
    const l = logProbabilities[i]!;
    if (l > -Infinity) entropy -= Math.exp(l) * l;
  }
  return entropy;
}
