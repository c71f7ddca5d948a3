import { TOLERANCE } from '../grpo/advantages.ts';

/** Discounted sum of the rewards from each step on: G_t = r_t + gamma G_{t+1}. */
export function returnsToGo(rewards: readonly number[], gamma = 1): number[] {
  const returns = new Array<number>(rewards.length).fill(0);
  let running = 0;
  for (let t = rewards.length - 1; t >= 0; t--) {
    running = rewards[t]! + gamma * running;
    returns[t] = running;
  }
  return returns;
}

/**
 * Advantages of the decisions of one group, `[trajectory][decision]`: the return from each step on minus the mean return of
 * the OTHER trajectories, G_{i,t} - mean_{j != i} G_{j,0}.
 *
 * The baseline does not depend on trajectory i, so it biases nothing, whatever the policy does; with the whole reward at the
 * end and gamma 1 this is RLOO. There is no mean per turn index on purpose: where the policy decides when to stop, who is
 * still there at turn t is a choice of the policy, and normalising over those is biased.
 *
 * Exactly 0 for members that do not count (`valid` false, or a reward that is not finite), with fewer than two that do, and
 * where all returns are equal (spread at most `tolerance`).
 * Source of the leave-one-out baseline: Kool et al. (2019); Ahmadian et al., arXiv 2402.14740.
 *
 * @param stepRewards - `[trajectory][decision]`
 */
export function leaveOneOutReturnsToGo(
  stepRewards: readonly (readonly number[])[],
  { gamma = 1, valid, tolerance = TOLERANCE }: { gamma?: number; valid?: readonly boolean[]; tolerance?: number } = {},
): number[][] {
  const returns = stepRewards.map((rewards) => returnsToGo(rewards, gamma));
  const whole = returns.map((of) => of[0] ?? 0);
  const counts = whole.map((total, i) => Number.isFinite(total) && (valid?.[i] ?? valid === undefined));
  const members = whole.filter((_, i) => counts[i]);
  const silent = members.length < 2 || Math.max(...members) - Math.min(...members) <= tolerance;
  const sum = members.reduce((a, b) => a + b, 0);
  return returns.map((of, i) => {
    if (silent || !counts[i]) return of.map(() => 0);
    const baseline = (sum - whole[i]!) / (members.length - 1);
    return of.map((value) => value - baseline);
  });
}
