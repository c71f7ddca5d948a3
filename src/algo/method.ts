import type { z } from 'zod';
import type { AlgorithmConfig } from './config.ts';

/** A training method: one folder of src/algo, one line in registry.ts. Everything in it is a pure function. */
export interface Method<C extends AlgorithmConfig = AlgorithmConfig> {
  name: C['name'];
  /** Strict object with `name` as a literal; its defaults are the defaults everywhere. */
  schema: z.ZodType<C>;
  /** What has to be computed with the weights of the start of the round before the first update. */
  needs(config: C): RoundNeeds;
  /**
   * Whether groups whose rewards are all equal teach something, too: where the baseline is not the group's. Default: they do
   * not.
   */
  usesEqualGroups?(config: C): boolean;
  /**
   * Advantages of one group's trajectories, from its rewards alone: 0 for members that do not count. Absent where they need
   * the whole round or a value head; {@link roundAdvantages} then gives them.
   */
  groupAdvantages?(group: GroupRewards, config: C): number[];
  /**
   * Advantages of every decision of a round, as `[group][trajectory][decision]`; `undefined` when each trajectory's own
   * advantage holds for all its decisions. `targets` are those of the value head.
   */
  roundAdvantages?(round: readonly RoundGroup[], config: C): RoundAdvantages | undefined;
  /** What the loss must see at once: single decisions, or all decisions of a group. */
  scope: 'decision' | 'group';
  /**
   * Weights of all decisions of a shard, trajectory after trajectory, and the shard's share of what all sums are divided by:
   * for most methods the sum of the weights, for a sum over a constant the number of trajectories, for GVPO the number of
   * groups. `lengths`: decisions of each valid trajectory of the groups with a signal, `[group][trajectory]`.
   */
  weigh(lengths: readonly (readonly number[])[], config: C): { weights: Float64Array; total: number };
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
  /** Sampled with forced exploration: such members have a baseline of their own. Default: none. */
  explored?: readonly boolean[];
}

/** One group of a round, with what every decision of it got. */
export interface RoundGroup extends GroupRewards {
  /** `[trajectory][decision]`; each trajectory's sum to its reward. */
  stepRewards: readonly (readonly number[])[];
  /** Group advantages, where the method has them. */
  advantages: readonly number[];
  /** Log-probabilities of the policy that acted, `[trajectory][decision]`. */
  behaviour: readonly (readonly number[])[];
  /** State values at the start of the round, `[trajectory][decision]`; where `needs` asks for them. */
  values?: readonly (readonly number[])[];
  /** Log-probabilities at the start of the round, `[trajectory][decision]`; where `needs` asks for them. */
  proximal?: readonly (readonly number[])[];
  /** Log-probabilities under the reference policy, `[trajectory][decision]`; where `needs` asks for them. */
  reference?: readonly (readonly number[])[];
}

/** Advantages of every decision, `[group][trajectory][decision]`. */
export interface RoundAdvantages {
  advantages: number[][][];
  /** Targets of the value head. */
  targets?: number[][][];
  /** Means over the round's decisions, by metric: `correctionWeight`, `maskedFraction` and whatever the method logs. */
  statistics?: Record<string, number>;
}

/**
 * Decisions of whole groups as flat columns of equal length: trajectory after trajectory, group after group. With scope
 * `decision` a call may hold any part of them. Only valid trajectories of groups with a signal are in it.
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
  /** Weight of each decision in the sums (aggregation). */
  weights: ArrayLike<number>;
  /** Where each trajectory begins, and the end of the last one. Scope `group` only. */
  trajectoryStart?: ArrayLike<number>;
  /** Index of the first trajectory of each group, and the number of trajectories. Scope `group` only. */
  groupStart?: ArrayLike<number>;
  /** Reward of each trajectory. Scope `group` only. */
  rewards?: ArrayLike<number>;
}

/** Sums over the decisions: data parallel learners add them and divide once. */
export interface LossResult {
  /** Sum of weight x loss. */
  loss: number;
  /** d loss / d logProb, weights included; one per decision. */
  derivative: Float64Array;
  /** Sums of weight x metric by name: `clipFraction`, `ratio`, `kl` and whatever the method logs. */
  statistics: Record<string, number>;
}
