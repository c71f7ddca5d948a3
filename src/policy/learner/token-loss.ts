/** Loss of groups of any policy kind whose decisions may be several tokens long, from their columns. */
import { starts } from '../../algo/columns/experience.ts';
import type { AlgorithmConfig } from '../../algo/config.ts';
import type { LossResult } from '../../algo/method.ts';
import { methodOf } from '../../algo/registry.ts';
import { unitLoss, weighUnits, type TokenColumns } from '../../algo/unit/unit.ts';
import type { LearnerGroup } from '../policy.ts';
import { groupColumns, isSilent, type GroupColumns } from './group-columns.ts';

/** The trained tokens of the groups that teach something, group after group, with everything a loss needs but their log-probabilities. */
export interface TokenBatch {
  /** Index of each such group among those given, and its columns. */
  groups: { index: number; columns: GroupColumns }[];
  columns: Omit<TokenColumns, 'logProbs'>;
  /** What all sums are divided by, over all learners. */
  total: number;
}

/** Reads groups and weighs their tokens. `invalid_argument` (with the field) where a group contradicts itself. */
export function tokenBatch(groups: readonly LearnerGroup[], algorithm: AlgorithmConfig): TokenBatch {
  const read = groups
    .map((group, index) => ({ group, index, columns: groupColumns(group, `groups[${index}]`) }))
    .filter(({ group, columns }) => !isSilent(group, columns));
  const lengths = read.map(({ columns }) => columns.lengths);
  const { weights, total } = weighUnits(methodOf(algorithm), lengths, algorithm);
  const of = (name: 'behaviour' | 'advantages'): number[] => read.flatMap(({ columns }) => columns[name]);
  const trajectories = lengths.flat();
  return {
    groups: read.map(({ index, columns }) => ({ index, columns })),
    columns: {
      behaviour: of('behaviour'),
      advantages: of('advantages'),
      weights,
      ...whole('proximal', read),
      ...whole('reference', read),
      decisionStart: starts(trajectories.flat()),
      trajectoryStart: starts(trajectories.map((decisions) => decisions.reduce((sum, length) => sum + length, 0))),
      groupStart: starts(lengths.map((group) => group.length)),
      rewards: read.flatMap(({ columns }) => columns.rewards),
    },
    total,
  };
}

/**
 * Sums of the method's loss over a batch, and the derivative with respect to the log-probability of each of its tokens.
 *
 * @param logProbs - under the policy that is trained, one per token of the batch
 */
export function tokenLoss({ columns }: TokenBatch, logProbs: ArrayLike<number>, algorithm: AlgorithmConfig): LossResult {
  return unitLoss(methodOf(algorithm), { ...columns, logProbs }, algorithm);
}

/** A column that all groups have, or none. */
function whole(
  name: 'proximal' | 'reference',
  read: readonly { columns: GroupColumns }[],
): Partial<Record<typeof name, number[]>> {
  if (read.length === 0 || read.some(({ columns }) => columns[name] === undefined)) return {};
  return { [name]: read.flatMap(({ columns }) => columns[name]!) };
}
