import type { z } from 'zod';
import type { Weights } from './aggregation/weights.ts';
import type { AlgorithmConfig } from './config.ts';

/** A training method: one folder of src/algo, one line in registry.ts. Everything in it is a pure function. */
export interface Method<C extends AlgorithmConfig = AlgorithmConfig> {
  name: C['name'];
  /** Strict object with `name` as a literal; its defaults are the defaults everywhere. */
  schema: z.ZodType<C>;
  /** Who acts in training flows in place of the policy, to be imitated by it: the flow's rule. Default: the policy acts. */
  imitates?: 'rule';
  /** What has to be computed with the weights of the start of the round before the first update. */
  needs(config: C): RoundNeeds;
  /** Whether a group teaches something. Default, and where it says `undefined`: if its outcomes differ, since it is its own baseline. */
  teaches?(group: GroupRewards, config: C): boolean | undefined;
  /** Which of a group's valid trajectories are trained on; the others are nowhere in the loss, its weights included. Default: all. */
  trainsOn?(group: GroupRewards, config: C): readonly boolean[];
  /**
   * Advantages of one group's trajectories, from its rewards alone: 0 for members that do not count. Absent where they need
   * the whole round or a value head; {@link roundAdvantages} then gives them.
   */
  groupAdvantages?(group: GroupRewards, config: C): number[];
  /** Advantages of a group depend on the other groups of its round, too. Default false. */
  comparesRound?: boolean;
  /**
   * Advantages of every token of a round, as `[group][trajectory][token]`; `undefined` when each trajectory's own
   * advantage holds for all its tokens. `targets` are those of the value head.
   */
  roundAdvantages?(round: readonly RoundGroup[], config: C): RoundAdvantages | undefined;
  /** What the loss must see at once: single decisions, or all decisions of a group. */
  scope: 'decision' | 'group';
  /**
   * Weights of all tokens of a shard, trajectory after trajectory, and the shard's share of what all sums are divided by:
   * for most methods the sum of the weights, for a sum over a constant the number of trajectories, for GVPO the number of
   * groups. `lengths`: tokens of each decision of the valid trajectories of the groups with a signal, `[group][trajectory][decision]`.
   */
  weigh(lengths: readonly (readonly (readonly number[])[])[], config: C): Weights;
  /** Loss and its derivative with respect to the chosen actions' log-probabilities. */
  loss(columns: LossColumns, config: C): LossResult;
}

/** What a round's preparation must compute. */
export interface RoundNeeds {
  /** State values, of a policy with a value head. */
  values: boolean;
  /** Log-probabilities under the policy at the start of the round. */
  proximal: boolean;
  /** Log-probabilities under the reference policy. */
  reference: boolean;
}

/** Rewards of one group; all arrays have one entry per trajectory. */
export interface GroupRewards {
  /** What advantages are computed from: the shaped reward. */
  rewards: readonly number[];
  /** False: an infrastructure failure; the member has no reward and no part in any mean. */
  valid: readonly boolean[];
  /** The task was solved, as the flow's outcome says. Default: none. */
  successful?: readonly boolean[];
  /** Sampled with forced exploration: such members have a baseline of their own. Default: none. */
  explored?: readonly boolean[];
}

/**
 * One group of a round. Columns are over the tokens that are trained on, `[trajectory][token]`; trajectories that do not count have
 * none. A planner's decision is one token.
 */
export interface RoundGroup extends GroupRewards {
  /** `[trajectory][decision]`; each trajectory's sum to its reward. */
  stepRewards: readonly (readonly number[])[];
  /** Tokens of each decision, `[trajectory][decision]`, at least 1. Default: every decision is one token long. */
  decisionLengths?: readonly (readonly number[])[];
  /** Group advantages, where the method has them. */
  advantages: readonly number[];
  /** Log-probabilities of the policy that acted. */
  behaviour: readonly (readonly number[])[];
  /** State values at the start of the round; where `needs` asks for them. */
  values?: readonly (readonly number[])[];
  /** Log-probabilities at the start of the round; where `needs` asks for them. */
  proximal?: readonly (readonly number[])[];
  /** Log-probabilities under the reference policy; where `needs` asks for them. */
  reference?: readonly (readonly number[])[];
}

/** Advantages of every token that is trained on, `[group][trajectory][token]`. */
export interface RoundAdvantages {
  advantages: number[][][];
  /** Targets of the value head. */
  targets?: number[][][];
  /** Means over the round's tokens, by metric: `correctionWeight`, `maskedFraction` and whatever the method logs. */
  statistics?: Record<string, number>;
}

/**
 * Tokens of whole groups as flat columns of equal length: trajectory after trajectory, group after group. With scope
 * `decision` a call may hold any part of them. Only valid trajectories of groups with a signal are in it. With `unit: decision` each
 * entry is a whole decision (src/algo/unit.ts).
 */
export interface LossColumns {
  /** Under the policy that is trained, at the sampling temperature. */
  logProbs: ArrayLike<number>;
  /** Under the policy that acted. */
  behaviour: ArrayLike<number>;
  /** Under the policy at the start of the round. */
  proximal?: ArrayLike<number>;
  /** Under the reference policy. */
  reference?: ArrayLike<number>;
  advantages: ArrayLike<number>;
  /** Weight of each entry in the sums (aggregation). */
  weights: ArrayLike<number>;
  /** Where each trajectory begins, and the end of the last one. Scope `group` only. */
  trajectoryStart?: ArrayLike<number>;
  /** Index of the first trajectory of each group, and the number of trajectories. Scope `group` only. */
  groupStart?: ArrayLike<number>;
  /** Reward of each trajectory. Scope `group` only. */
  rewards?: ArrayLike<number>;
}

/** Sums over the entries of the columns: data parallel learners add them and divide once. */
export interface LossResult {
  /** Sum of weight x loss. */
  loss: number;
  /** d loss / d logProb, weights included; one per entry. */
  derivative: Float64Array;
  /** Sums of weight x metric by name: `clipFraction`, `ratio`, `kl` and whatever the method logs. */
  statistics: Record<string, number>;
}
