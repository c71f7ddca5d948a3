import { wrong } from '../check.ts';

/** What methods read of the experience of one group: columns, and nothing of what its policy saw. */
export interface ExperienceColumns {
  /** Decisions of each trajectory; 0 for failed ones. */
  trajectoryLengths: readonly number[];
  /** Tokens of each decision, trajectory after trajectory; empty where every decision is one token long. */
  decisionLengths: readonly number[];
  /** Log-probability of each token under the policy that acted. */
  logProbabilities: readonly number[];
  /** 1 for tokens that the policy is trained on, 0 for others; empty where it is trained on all of them. */
  mask: ArrayLike<number>;
}

/** `invalid_argument` with the field where the columns of a group contradict each other. `where` goes before the field's name. */
export function checkColumns(columns: ExperienceColumns, where = ''): void {
  const { trajectoryLengths, decisionLengths, logProbabilities, mask } = columns;
  const decisions = sum(trajectoryLengths);
  if (decisionLengths.length > 0 && decisionLengths.length !== decisions) {
    throw wrong(`${where}decision_lengths`, `${decisionLengths.length} entries for ${decisions} decisions`);
  }
  const none = decisionLengths.indexOf(0);
  if (none >= 0) throw wrong(`${where}decision_lengths[${none}]`, 'a decision is at least one token long');
  const tokens = decisionLengths.length > 0 ? sum(decisionLengths) : decisions;
  if (logProbabilities.length !== tokens) {
    throw wrong(`${where}log_probabilities`, `${logProbabilities.length} entries for ${tokens} tokens of ${decisions} decisions`);
  }
  if (mask.length > 0 && mask.length !== tokens) throw wrong(`${where}mask`, `${mask.length} entries for ${tokens} tokens`);
  const bad = logProbabilities.findIndex((logProb) => !Number.isFinite(logProb));
  if (bad >= 0) throw wrong(`${where}log_probabilities[${bad}]`, `a finite number is needed, got ${logProbabilities[bad]}`);
}

/** The tokens of a group that its policy is trained on, and the decisions that have any. */
export interface Trained {
  /** Trained tokens of each such decision, `[trajectory][decision]`; none of trajectories that do not count. */
  lengths: number[][];
  /** Places of these decisions among all decisions of the group. */
  decisions: number[];
  /** Places of these tokens among all tokens of the group. */
  tokens: number[];
}

/**
 * What is trained on of a group: the tokens of valid trajectories that the mask leaves. Decisions without such a token are left out.
 * Every other column of a group has one entry for each of these tokens, trajectory after trajectory.
 *
 * @param valid - one per trajectory
 */
export function trainedTokens(columns: ExperienceColumns, valid: readonly boolean[]): Trained {
  const { trajectoryLengths, decisionLengths, mask } = columns;
  const trained: Trained = { lengths: [], decisions: [], tokens: [] };
  let decision = 0;
  let token = 0;
  trajectoryLengths.forEach((decisions, i) => {
    const lengths: number[] = [];
    for (const end = decision + decisions; decision < end; decision++) {
      let length = 0;
      for (const last = token + (decisionLengths[decision] ?? 1); token < last; token++) {
        if (valid[i] !== true || (mask.length > 0 && mask[token] === 0)) continue;
        trained.tokens.push(token);
        length += 1;
      }
      if (length === 0) continue;
      trained.decisions.push(decision);
      lengths.push(length);
    }
    trained.lengths.push(lengths);
  });
  return trained;
}

/**
 * Rewards of the decisions of `trained` from those of all decisions, `[trajectory][decision]`: what a decision without a trained
 * token earned goes to the last one before it, or to the first one, so that each trajectory's sum stays.
 */
export function trainedRewards(
  rewards: readonly (readonly number[])[],
  { trajectoryLengths }: Pick<ExperienceColumns, 'trajectoryLengths'>,
  trained: Trained,
): number[][] {
  let first = 0;
  let next = 0;
  return rewards.map((of, i) => {
    const end = first + trajectoryLengths[i]!;
    const kept = trained.lengths[i]!.map(() => 0);
    for (let d = first, own = -1; d < end && kept.length > 0; d++) {
      if (trained.decisions[next + own + 1] === d && own + 1 < kept.length) own += 1;
      const at = Math.max(0, own);
      // An exact copy where every decision is trained: 0 + x is x.
      kept[at]! += of[d - first] ?? 0;
    }
    first = end;
    next += kept.length;
    return kept;
  });
}

/** Where each of the lengths begins, and the end of the last one. */
export function starts(lengths: readonly number[]): Int32Array {
  const result = new Int32Array(lengths.length + 1);
  lengths.forEach((length, i) => (result[i + 1] = result[i]! + length));
  return result;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
