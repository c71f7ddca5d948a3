/** Reads the columns of groups, of any policy kind: what methods see of them. No payload is decoded here. */
import { trainedTokens, type Trained } from '../../algo/columns/experience.ts';
import { MillraceError } from '../../errors.ts';
import type { LearnerGroup } from '../policy.ts';

/** Columns over the trained tokens of one group, trajectory after trajectory. */
export interface GroupColumns {
  /** Which tokens these are. */
  trained: Trained;
  /** Trained tokens of each decision, `[trajectory][decision]`, of the trajectories that have any. */
  lengths: number[][];
  /** Shaped rewards of those trajectories; empty where the method has no use for them. */
  rewards: number[];
  /** Under the policy that acted. */
  behaviour: number[];
  advantages: number[];
  /** Log-probabilities at the start of the round. */
  proximal?: readonly number[];
  /** Log-probabilities under the reference policy. */
  reference?: readonly number[];
  /** Targets of the value head. */
  targets?: readonly number[];
  /** State values at the start of the round. */
  values?: readonly number[];
}

/** Columns of a group. `invalid_argument` with `field` where it contradicts itself. */
export function groupColumns(group: LearnerGroup, field: string): GroupColumns {
  const { experience, advantages, valid, rewards = [] } = group;
  const { length } = experience.trajectoryLengths;
  const invalid = (message: string) => new MillraceError('invalid_argument', `${field}: ${message}`, { field });
  if (advantages.length !== length || valid.length !== length) {
    throw invalid(`${length} trajectories, but ${advantages.length} advantages and ${valid.length} valid flags`);
  }
  if (rewards.length > 0 && rewards.length !== length) throw invalid(`${length} trajectories, but ${rewards.length} rewards`);
  const trained = trainedTokens(experience, valid);
  const column = (name: 'decisionAdvantages' | 'proximal' | 'reference' | 'valueTargets' | 'values') => {
    const values = group[name];
    if (values === undefined || values.length === 0) return undefined;
    if (values.length === trained.tokens.length) return values;
    throw invalid(`${name} has ${values.length} entries for ${trained.tokens.length} trained tokens`);
  };
  const own = column('decisionAdvantages');
  const of = own ?? trained.lengths.flatMap((lengths, i) => lengths.flatMap((tokens) => repeated(advantages[i]!, tokens)));
  const wrong = of.findIndex((advantage) => !Number.isFinite(advantage));
  if (wrong >= 0) throw invalid(`the advantage of ${placeOf(wrong, trained)} is ${of[wrong]}`);
  const members = trained.lengths.flatMap((lengths, i) => (lengths.length > 0 ? [i] : []));
  const [proximal, reference, targets, values] = [
    column('proximal'),
    column('reference'),
    column('valueTargets'),
    column('values'),
  ];
  return {
    trained,
    lengths: members.map((i) => trained.lengths[i]!),
    rewards: rewards.length > 0 ? members.map((i) => rewards[i]!) : [],
    behaviour: trained.tokens.map((token) => experience.logProbabilities[token]!),
    advantages: [...of],
    ...(proximal && { proximal }),
    ...(reference && { reference }),
    ...(targets && { targets }),
    ...(values && { values }),
  };
}

/**
 * Whether a group teaches nothing: all its advantages are 0. A value head learns from its targets, whatever is left of the advantages
 * (positiveOnly, a mask).
 */
export function isSilent({ valueTargets = [] }: LearnerGroup, { advantages }: GroupColumns): boolean {
  return valueTargets.length === 0 && advantages.every((advantage) => advantage === 0);
}

function repeated(value: number, count: number): number[] {
  return new Array<number>(count).fill(value);
}

function placeOf(token: number, { lengths }: Trained): string {
  let next = 0;
  const trajectory = lengths.findIndex((of) => (next += of.reduce((sum, length) => sum + length, 0)) > token);
  return `trajectory ${trajectory}`;
}
