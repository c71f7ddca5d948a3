/** Looks at decisions without learning from them. */
import type { AlgorithmConfig } from '../../algo/config.ts';
import type { Planner } from '../planner/planner.ts';
import { segmentLogSoftmax } from '../planner/softmax.ts';
import { prepareBatch } from './backward.ts';
import type { GroupDecisions } from './decisions.ts';
import { chosenLogProbs, type LossStatistics } from './loss.ts';
import type { Piece } from './micro-batches.ts';
import { tokenLoss, type TokenBatch } from './token-loss.ts';

/** What the present policy says about decisions; one entry each, in order. */
export interface Looked {
  /** Log-probabilities of the chosen actions at the sampling temperature. */
  logProbs: Float64Array;
  /** State values; absent without a critic. */
  values?: Float64Array;
}

/** Log-probabilities, and values where the policy has a critic, of a micro-batch's decisions. */
export function look(policy: Planner, batch: readonly Piece[]): Looked {
  const { flat, temperature, table } = prepareBatch(policy, batch);
  const { scores, values } = policy.evaluate(flat);
  const logProbs = chosenLogProbs(segmentLogSoftmax(scores, flat.actionStart, temperature), flat.actionStart, table);
  return values ? { logProbs, values: Float64Array.from(table.observation, (o) => values[o]!) } : { logProbs };
}

/**
 * For methods whose loss binds the decisions of a group together: computes it once from the log-probabilities of all of
 * them, and leaves each decision its derivative. What follows is linear in the log-probabilities and may be cut anywhere.
 */
export function bindGroups(
  groups: readonly GroupDecisions[],
  tokens: TokenBatch,
  logProbs: Float64Array,
  algorithm: AlgorithmConfig,
): LossStatistics {
  const { loss, derivative, statistics } = tokenLoss(tokens, logProbs, algorithm);
  // A planner's decision is one token.
  groups.flatMap(({ decisions }) => decisions).forEach((decision, d) => (decision.slope = derivative[d]!));
  return { loss, surrogate: loss, ...statistics };
}
