/** Columns of {@link gvpoLoss}. */
export interface GvpoColumns {
  /** Of all decisions of the group, trajectory after trajectory. */
  logProbs: ArrayLike<number>;
  /** The same decisions under the policy at the start of the round. */
  proximal: ArrayLike<number>;
  /** Where each trajectory begins, and the end of the last one: G + 1 entries. */
  start: ArrayLike<number>;
  /** One per trajectory. */
  rewards: ArrayLike<number>;
}

/**
 * The loss of GVPO for ONE group of G trajectories:
 * 1/(G - 1) sum_i 1/2 [(R_theta,i - mean R_theta) - (R_i - mean R)]^2 with R_theta,i = beta sum_t (logProb - proximal).
 *
 * Its minimum is the optimum of the KL-constrained problem whatever policy the trajectories came from, so there is no ratio, clip
 * or correction. At the start of the round its gradient is beta / (G - 1) times that of REINFORCE with the mean as baseline.
 * "Complete groups only" means that a group is never cut into parts; a member that failed (`valid` false, or a reward that is not
 * finite) was never in it: G is the number of the others, and its derivative is 0. Fewer than two members: 0.
 *
 * Source: Zhang et al., GVPO, arXiv 2504.19599; code: jszkc/GVPO.
 *
 * @param valid - members that count; default: all with a finite reward
 * @returns derivative: d loss / d logProb, one per decision; implied: R_theta, one per trajectory, 0 for those that failed
 */
export function gvpoLoss(
  { logProbs, proximal, start, rewards }: GvpoColumns,
  { beta, valid }: { beta: number; valid?: readonly boolean[] },
): { loss: number; derivative: Float64Array; implied: Float64Array } {
  const count = Math.max(0, start.length - 1);
  const derivative = new Float64Array(logProbs.length);
  const implied = new Float64Array(count);
  const members = Array.from(implied.keys()).filter((i) => Number.isFinite(rewards[i]) && (valid?.[i] ?? true));
  for (const i of members) {
    for (let d = start[i]!; d < start[i + 1]!; d++) implied[i]! += beta * (logProbs[d]! - proximal[d]!);
  }
  const size = members.length;
  if (size < 2) return { loss: 0, derivative, implied };
  const meanImplied = members.reduce((sum, i) => sum + implied[i]!, 0) / size;
  const meanReward = members.reduce((sum, i) => sum + rewards[i]!, 0) / size;
  let loss = 0;
  for (const i of members) {
    const residual = implied[i]! - meanImplied - (rewards[i]! - meanReward);
    loss += (0.5 * residual * residual) / (size - 1);
    // The residuals sum to 0: what reaches the mean cancels.
    derivative.fill((beta * residual) / (size - 1) + 0, start[i]!, start[i + 1]!);
  }
  return { loss, derivative, implied };
}
