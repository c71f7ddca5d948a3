import type { AlgorithmConfig } from '../config.ts';
import type { RoundGroup } from '../method.ts';
import { methodOf } from '../registry.ts';
import { broadcast } from './broadcast.ts';
import { isPenalised } from './round.ts';

/** A group whose decisions are not evaluated any more. Default: as much as is said of it in {@link RoundGroup}. */
export type ScoredDecisions = Pick<RoundGroup, 'rewards' | 'valid' | 'explored' | 'stepRewards' | 'advantages'>;

/**
 * Advantages of the decisions of one group, `[trajectory][decision]`, as the round that trains on it computes them; undefined where the
 * method needs more for that than the group: the rest of its round, values, or probabilities under other policies.
 *
 * @param lengths - decisions of each trajectory
 */
export function groupCredit(group: ScoredDecisions, lengths: readonly number[], config: AlgorithmConfig): number[][] | undefined {
  const method = methodOf(config);
  if (method.groupAdvantages === undefined || method.comparesRound === true) return undefined;
  const { kl, correction, value } = config as {
    kl?: Parameters<typeof isPenalised>[0];
    correction?: { kind: string };
    value?: unknown;
  };
  if (isPenalised(kl) || value !== undefined || (correction !== undefined && correction.kind !== 'none')) return undefined;
  // Only how many there are is read.
  const behaviour = lengths.map((length, i) => broadcast(0, group.valid[i] ? length : 0));
  const round = method.roundAdvantages?.([{ ...group, behaviour }], config);
  return round?.advantages[0] ?? behaviour.map((of, i) => broadcast(group.advantages[i]!, of.length));
}
