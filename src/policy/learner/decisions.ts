/** Reads the decisions of a planner's groups and gives each its weight. */
import type { AlgorithmConfig } from '../../algo/config.ts';
import { decodePlannerPayload } from '../planner/experience.ts';
import type { ObservationBatch } from '../planner/observation-policy.ts';
import type { LearnerGroup } from '../policy.ts';
import { groupColumns, type GroupColumns } from './group-columns.ts';
import { tokenBatch, type TokenBatch } from './token-loss.ts';

/** One decision of a group; a planner's is one token long. */
export interface Decision {
  /** Index into the group's observations. */
  observation: number;
  action: number;
  oldLogProb: number;
  advantage: number;
  weight: number;
  /** Log-probability at the start of the round; NaN or absent where the method has no use for it. */
  proximal?: number;
  /** Log-probability under the reference policy; NaN or absent where the method has no use for it. */
  reference?: number;
  /** Target of the value head; NaN or absent without one. */
  target?: number;
  /** State value at the start of the round; NaN or absent without a critic. */
  value?: number;
  /** Fixed derivative of the loss with respect to the log-probability, weight included; NaN or absent until it is known. */
  slope?: number;
}

/** The decisions of one group. */
export interface GroupDecisions {
  /** What the decisions refer to. */
  batch: ObservationBatch;
  temperature: number;
  /** Trajectory after trajectory: valid ones of at least one decision. */
  decisions: Decision[];
}

/**
 * Decisions of the groups that teach something (groups whose advantages are all 0 are left out, unless they have targets for a
 * value head) with their weights, and their columns. `invalid_argument` (with the field) when a group contradicts itself.
 */
export function weighedDecisions(
  groups: readonly LearnerGroup[],
  algorithm: AlgorithmConfig,
): { groups: GroupDecisions[]; tokens: TokenBatch } {
  const tokens = tokenBatch(groups, algorithm);
  const read = tokens.groups.map(({ index, columns }) => decisionsOf(groups[index]!, columns, `groups[${index}]`));
  let next = 0;
  for (const { decisions } of read) for (const decision of decisions) decision.weight = tokens.columns.weights[next++]!;
  return { groups: read, tokens };
}

/** Every decision of a group, of trajectories that did not fail. To look at them: no weights. */
export function allDecisions(group: LearnerGroup, field: string): GroupDecisions {
  return decisionsOf(group, groupColumns(group, field), field);
}

function decisionsOf({ experience }: LearnerGroup, columns: GroupColumns, field: string): GroupDecisions {
  const { batch, observation, action } = decodePlannerPayload(experience, field);
  const { behaviour, advantages, proximal, reference, targets, values } = columns;
  const decisions = columns.trained.decisions.map((place, at): Decision => ({
    observation: observation[place]!,
    action: action[place]!,
    oldLogProb: behaviour[at]!,
    advantage: advantages[at]!,
    weight: 0,
    proximal: proximal?.[at] ?? Number.NaN,
    reference: reference?.[at] ?? Number.NaN,
    target: targets?.[at] ?? Number.NaN,
    value: values?.[at] ?? Number.NaN,
    slope: Number.NaN,
  }));
  return { batch, temperature: experience.temperature, decisions };
}
