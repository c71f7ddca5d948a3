import { MillraceError } from '../../errors.ts';
import { correctionWeights } from '../correction/weights.ts';

import { klInLoss } from '../kl/estimators.ts';
import { counted } from '../grpo/advantages.ts';
import type { GroupRewards, RoundAdvantages, RoundGroup } from '../method.ts';
import type { CorrectionConfig, CreditConfig, KlConfig } from '../schema/fields.ts';
import { areEqual } from '../stats/equal.ts';
import { broadcast, discounted } from './broadcast.ts';
import { paceOf } from './pace.ts';
import { againstOthers, returnsToGo } from './return-to-go.ts';

/**
 * The tolerance of {@link areEqual} within a round: rewards travel in single precision, so that what differed by a rounding before
 * may differ by 1e-7 of its size after.
 */
const SAME = 1e-6;

/** Options of {@link assignCredit}: a part of a method's. */
export interface CreditOptions {
  kl?: KlConfig;
  credit?: CreditConfig;
  correction?: CorrectionConfig;
  positiveOnly: boolean;
}

/** What a method brings along. */
export interface Baseline {
  /** Advantages of one group's trajectories, one each; before positiveOnly. */
  advantages: (group: GroupRewards) => number[];
  /** What return-to-go is divided by, where the method divides: where whole returns are equal, all advantages are then 0. */
  scale?: (group: GroupRewards) => number;
  /** Makes one of all groups' advantages, `[group][trajectory]`, e.g. whitens them. */
  together?: (advantages: number[][], round: readonly RoundGroup[]) => number[][];
}

/**
 * Advantages of a round's tokens for methods that compare trajectories: the KL penalty of k1 taken from the rewards, the
 * group's advantages, shared out as `credit` says, positive ones only if asked for, times the correction's weights. `undefined`
 * where that is each trajectory's own advantage for all its decisions.
 *
 * A weight w > 0 may be put into the advantage: w min(r A, clip(r) A) = min(r wA, clip(r) wA).
 */
export function assignCredit(
  round: readonly RoundGroup[],
  { kl, credit, correction, positiveOnly }: CreditOptions,
  { advantages, scale, together }: Baseline,
): RoundAdvantages | undefined {
  const kind = credit?.kind ?? 'broadcast';
  const corrected = correction !== undefined && correction.kind !== 'none';
  if (!isPenalised(kl) && kind === 'broadcast' && !corrected && together === undefined) return undefined;

  const groups = penalisedRound(round, kl);
  const perTrajectory = groups.map((group) => advantages(settled(group)));
  const whole = together === undefined ? perTrajectory : together(perTrajectory, groups);
  const result = groups.map((group, g) => {
    const of = kind === 'return-to-go' ? returnToGo(group, credit!.gamma, scale) : undefined;
    return group.behaviour.map((decisions, i) => {
      if (!group.valid[i]) return broadcast(0, decisions.length);
      if (of !== undefined) return of[i]!;
      return kind === 'discounted'
        ? discounted(whole[g]![i]!, decisions.length, credit!.gamma, group.decisionLengths?.[i])
        : broadcast(whole[g]![i]!, decisions.length);
    });
  });
  return finish(result, groups, positiveOnly, correction);
}

/** Positive advantages only, if asked for, times the correction's weights; with what the correction did as statistics. */
export function finish(
  advantages: number[][][],
  round: readonly RoundGroup[],
  positiveOnly: boolean,
  correction?: CorrectionConfig,
): RoundAdvantages {
  if (positiveOnly) advantages = advantages.map((group) => group.map((of) => of.map((value) => Math.max(0, value))));
  if (correction === undefined || correction.kind === 'none') return { advantages };
  let decisions = 0;
  let sum = 0;
  let masked = 0;
  const corrected = advantages.map((group, g) =>
    group.map((of, i) => {
      if (!round[g]!.valid[i]) return of;
      const weights = correctionWeights(needed(round[g]!.proximal, 'proximal')[i]!, round[g]!.behaviour[i]!, correction);
      decisions += weights.length;
      for (const weight of weights) {
        sum += weight;
        if (weight === 0) masked++;
      }
      return of.map((value, t) => value * weights[t]! + 0);
    }),
  );
  const statistics = { correctionWeight: sum / Math.max(1, decisions), maskedFraction: masked / Math.max(1, decisions) };
  return { advantages: corrected, statistics };
}

/**
 * Rewards of the tokens of one trajectory: a decision's reward is that of its last token. Where nothing is known of the steps, all of
 * the reward comes at the end.
 */
export function stepRewardsOf({ rewards, stepRewards, behaviour, decisionLengths }: RoundGroup, i: number): number[] {
  const steps = stepRewards[i] ?? [];
  const { length } = behaviour[i]!;
  if (steps.length === length) return [...steps];
  const lengths = decisionLengths?.[i];
  if (steps.length > 0 && steps.length === lengths?.length) {
    return lengths.flatMap((tokens, d) => Array.from({ length: tokens }, (_, t) => (t === tokens - 1 ? steps[d]! : 0)));
  }
  return Array.from({ length }, (_, t) => (t === length - 1 ? rewards[i]! : 0));
}

/** What `needs` asked for and the round must therefore have. */
export function needed<T>(column: T | undefined, name: string): T {
  if (column === undefined) throw new MillraceError('internal', `the round has no ${name}, which the method's needs ask for`);
  return column;
}

function returnToGo(group: RoundGroup, gamma: number, scale: Baseline['scale']): number[][] {
  const steps = group.behaviour.map((_, i) => stepRewardsOf(group, i));
  const result = steps.map((rewards) => rewards.map(() => 0));
  const explored = group.explored ?? group.valid.map(() => false);
  for (const kind of [false, true]) {
    const valid = group.valid.map((is, i) => is && explored[i] === kind);
    if (!valid.some(Boolean)) continue;
    // The deviation of what is compared: discounted returns spread less than rewards, the more so the longer the flow.
    // A trajectory without decisions has its reward all the same.
    const returns = steps.map((rewards, i) => returnsToGo(rewards, paceOf(group, i, gamma)));
    const whole = returns.map((of, i) => of[0] ?? group.rewards[i]!);
    const divisor = scale?.({ rewards: whole, valid }) ?? 1;
    if (scale !== undefined && areEqual(counted(whole, valid), SAME)) continue;
    againstOthers(returns, whole, valid, SAME).forEach((of, i) => {
      if (valid[i]) result[i] = of.map((value) => value / divisor);
    });
  }
  return result;
}

/** Whether a KL penalty is taken from the rewards: with k1, whose expected gradient in the loss would be 0. */
export function isPenalised(kl: KlConfig | undefined): kl is KlConfig {
  return kl !== undefined && kl.coefficient > 0 && !klInLoss(kl.estimator);
}

/** The round with the KL penalty taken from its rewards, where it is not in the loss. */
export function penalisedRound(round: readonly RoundGroup[], kl: KlConfig | undefined): readonly RoundGroup[] {
  return isPenalised(kl) ? round.map((group) => withPenalty(group, kl.coefficient)) : round;
}

/** The group with rewards that are equal but for rounding made equal. */
function settled(group: RoundGroup): RoundGroup {
  const members = counted(group.rewards, group.valid);
  if (members.length === 0 || !areEqual(members, SAME)) return group;
  return { ...group, rewards: group.rewards.map((reward, i) => (group.valid[i] ? members[0]! : reward)) };
}

/** The group with coefficient x (log pi_behaviour - log pi_reference) taken from the reward of every step. */
function withPenalty(group: RoundGroup, coefficient: number): RoundGroup {
  const reference = needed(group.reference, 'reference');
  const stepRewards = group.behaviour.map((behaviour, i) =>
    stepRewardsOf(group, i).map((reward, t) =>
      group.valid[i] ? reward - coefficient * (behaviour[t]! - reference[i]![t]!) : reward,
    ),
  );
  // A trajectory without decisions strays nowhere and keeps its reward.
  const rewards = stepRewards.map((steps, i) =>
    group.valid[i] && steps.length > 0 ? steps.reduce((a, b) => a + b, 0) : group.rewards[i]!,
  );
  return { ...group, stepRewards, rewards };
}
