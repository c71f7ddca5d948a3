/** Reads the decisions of groups, checks them and gives each its weight. */
import type { AlgorithmConfig } from '../../algo/config.ts';
import type { Method } from '../../algo/method.ts';
import { MillraceError } from '../../errors.ts';
import type { LearnerGroup } from '../policy.ts';

/** One decision of a group. */
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
  group: LearnerGroup;
  /** Trajectory after trajectory: valid ones of at least one decision. */
  decisions: Decision[];
  /** Decisions of each of those trajectories. */
  lengths: number[];
  /** Their shaped rewards; empty where the method has no use for them. */
  rewards: number[];
}

/**
 * Decisions of the groups that teach something (groups whose advantages are all 0 are left out, unless they have targets for a
 * value head) with their weights, and what
 * all sums are divided by. `invalid_argument` (with the field) when a group contradicts itself.
 */
export function weighedDecisions(
  groups: readonly LearnerGroup[],
  method: Method,
  algorithm: AlgorithmConfig,
): { groups: GroupDecisions[]; total: number } {
  const read = groups.map((group, index) => readGroup(group, `groups[${index}]`)).filter((group) => group !== undefined);
  const { weights, total } = method.weigh(
    read.map(({ lengths }) => lengths),
    algorithm,
  );
  let next = 0;
  for (const { decisions } of read) for (const decision of decisions) decision.weight = weights[next++]!;
  return { groups: read, total };
}

/** Every decision of a group, of trajectories that failed none. For looking at them: no weights. */
export function allDecisions(group: LearnerGroup, field: string): Decision[] {
  return readMembers(group, memberIndices(group), field).decisions;
}

function memberIndices({ experience, valid }: LearnerGroup): number[] {
  return experience.decisions.map((_, i) => i).filter((i) => valid[i] && experience.decisions[i]!.observation.length > 0);
}

function readGroup(group: LearnerGroup, field: string): GroupDecisions | undefined {
  const { experience, advantages, valid, decisionAdvantages = [], rewards = [] } = group;
  const trajectories = experience.decisions;
  const invalid = (message: string) => new MillraceError('invalid_argument', `${field}: ${message}`, { field });
  if (advantages.length !== trajectories.length || valid.length !== trajectories.length) {
    throw invalid(`${trajectories.length} trajectories, but ${advantages.length} advantages and ${valid.length} valid flags`);
  }
  if (rewards.length > 0 && rewards.length !== trajectories.length) {
    throw invalid(`${trajectories.length} trajectories, but ${rewards.length} rewards`);
  }
  if (!(experience.temperature > 0)) throw invalid(`temperature must be above 0, got ${experience.temperature}`);
  const members = memberIndices(group);
  // A value head learns from its targets, whatever is left of the advantages (positiveOnly, a mask).
  const silent =
    (group.valueTargets?.length ?? 0) === 0 &&
    (decisionAdvantages.length > 0 ? decisionAdvantages.every((a) => a === 0) : members.every((i) => advantages[i] === 0));
  if (silent) return undefined;
  const { decisions, lengths } = readMembers(group, members, field);
  return { group, decisions, lengths, rewards: rewards.length > 0 ? members.map((i) => rewards[i]!) : [] };
}

function readMembers(
  group: LearnerGroup,
  members: readonly number[],
  field: string,
): { decisions: Decision[]; lengths: number[] } {
  const { experience, advantages } = group;
  const invalid = (message: string) => new MillraceError('invalid_argument', `${field}: ${message}`, { field });
  const total = members.reduce((sum, i) => sum + experience.decisions[i]!.observation.length, 0);
  const column = (
    name: 'decisionAdvantages' | 'proximal' | 'reference' | 'valueTargets' | 'values',
  ): readonly number[] | undefined => {
    const values = group[name];
    if (values === undefined || values.length === 0) return undefined;
    if (values.length !== total) throw invalid(`${name} has ${values.length} entries for ${total} decisions`);
    return values;
  };
  const [single, proximal, reference, targets, values] = [
    column('decisionAdvantages'),
    column('proximal'),
    column('reference'),
    column('valueTargets'),
    column('values'),
  ];
  const decisions: Decision[] = [];
  for (const i of members) {
    const { observation, action, logProbability } = experience.decisions[i]!;
    if (action.length !== observation.length || logProbability.length !== observation.length) {
      throw invalid(
        `trajectory ${i} has ${observation.length} observations, but ${action.length} actions and ${logProbability.length} log-probabilities`,
      );
    }
    for (let t = 0; t < observation.length; t++) {
      const index = observation[t]!;
      if (index >= experience.observations.length) {
        throw invalid(`trajectory ${i} refers to observation ${index} of ${experience.observations.length}`);
      }
      const oldLogProb = logProbability[t]!;
      if (!Number.isFinite(oldLogProb)) throw invalid(`trajectory ${i}: the log-probability of decision ${t} is ${oldLogProb}`);
      const at = decisions.length;
      const advantage = single ? single[at]! : advantages[i]!;
      if (!Number.isFinite(advantage)) throw invalid(`the advantage of trajectory ${i} is ${advantage}`);
      decisions.push({
        observation: index,
        action: action[t]!,
        oldLogProb,
        advantage,
        weight: 0,
        proximal: proximal ? proximal[at]! : Number.NaN,
        reference: reference ? reference[at]! : Number.NaN,
        target: targets ? targets[at]! : Number.NaN,
        value: values ? values[at]! : Number.NaN,
        slope: Number.NaN,
      });
    }
  }
  return { decisions, lengths: members.map((i) => experience.decisions[i]!.observation.length) };
}
