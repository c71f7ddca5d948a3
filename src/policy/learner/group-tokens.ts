/** Reads the trained tokens of groups, of any policy kind, and gives each its weight. */
import type { AlgorithmConfig } from '../../algo/config.ts';
import type { PolicyLearner } from '../kind.ts';
import type { LearnerGroup } from '../policy.ts';
import { groupColumns, type GroupColumns } from './group-columns.ts';
import { tokenBatch, type TokenBatch } from './token-loss.ts';

/** One trained token of a group. A choice among open actions is one token. */
export interface TrainedToken {
  /** Its place among all tokens of the group. */
  place: number;
  oldLogProb: number;
  advantage: number;
  weight: number;
  /** Log-probability at the start of the round; NaN where the method has no use for it. */
  proximal: number;
  /** Log-probability under the reference policy; NaN where the method has no use for it. */
  reference: number;
  /** Target of the value head; NaN without one. */
  target: number;
  /** State value at the start of the round; NaN without a critic. */
  value: number;
  /** Fixed derivative of the loss with respect to the log-probability, weight included; NaN until it is known. */
  slope: number;
}

/** The trained tokens of one group, or a part of them. */
export interface GroupTokens<P = unknown> {
  /** What they refer to. */
  payload: P;
  temperature: number;
  /** Trajectory after trajectory. */
  tokens: TrainedToken[];
  isPart: boolean;
}

/**
 * Tokens of the groups that teach something (groups whose advantages are all 0 are left out, unless they have targets for a value
 * head) with their weights, and their columns. `invalid_argument` (with the field) when a group contradicts itself.
 */
export function weighedTokens<P>(
  policy: Pick<PolicyLearner<P>, 'open'>,
  groups: readonly LearnerGroup[],
  algorithm: AlgorithmConfig,
): { groups: GroupTokens<P>[]; batch: TokenBatch } {
  const batch = tokenBatch(groups, algorithm);
  const read = batch.groups.map(({ index, columns }) => tokensOf(policy, groups[index]!, columns, `groups[${index}]`));
  let next = 0;
  for (const { tokens } of read) for (const token of tokens) token.weight = batch.columns.weights[next++]!;
  return { groups: read, batch };
}

/** Every token of a group, of trajectories that did not fail. To look at them: no weights. */
export function allTokens<P>(policy: Pick<PolicyLearner<P>, 'open'>, group: LearnerGroup, field: string): GroupTokens<P> {
  return tokensOf(policy, group, groupColumns(group, field), field);
}

function tokensOf<P>(
  policy: Pick<PolicyLearner<P>, 'open'>,
  { experience }: LearnerGroup,
  columns: GroupColumns,
  field: string,
): GroupTokens<P> {
  const { behaviour, advantages, proximal, reference, targets, values } = columns;
  const tokens = columns.trained.tokens.map((place, at): TrainedToken => ({
    place,
    oldLogProb: behaviour[at]!,
    advantage: advantages[at]!,
    weight: 0,
    proximal: proximal?.[at] ?? Number.NaN,
    reference: reference?.[at] ?? Number.NaN,
    target: targets?.[at] ?? Number.NaN,
    value: values?.[at] ?? Number.NaN,
    slope: Number.NaN,
  }));
  return { payload: policy.open(experience, field), temperature: experience.temperature, tokens, isPart: false };
}
