import { areEqual, TOLERANCE } from '../stats/equal.ts';
import { at, type Pace } from './pace.ts';

/** Discounted sum of the rewards from each step on: G_t = r_t + gamma_t G_{t+1}. */
export function returnsToGo(rewards: readonly number[], gamma: Pace = 1): number[] {
  const returns = new Array<number>(rewards.length).fill(0);
  let running = 0;
  for (let t = rewards.length - 1; t >= 0; t--) {
    running = rewards[t]! + at(gamma, t) * running;
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
 * Exactly 0 for members that do not count (`valid` false, or a return that is not finite), with fewer than two that do, and where
 * that is all there is: where all returns are equal ({@link areEqual}, with `tolerance`), what is left of single decisions is their
 * timing, and whatever of it is only rounding is 0. A trajectory without decisions counts with a return of 0.
 * Source of the leave-one-out baseline: Kool et al. (2019); Ahmadian et al., arXiv 2402.14740.
 *
 * @param stepRewards - `[trajectory][decision]`
 */
export function leaveOneOutReturnsToGo(
  stepRewards: readonly (readonly number[])[],
  { gamma = 1, valid, tolerance = TOLERANCE }: { gamma?: number; valid?: readonly boolean[]; tolerance?: number } = {},
): number[][] {
  const returns = stepRewards.map((rewards) => returnsToGo(rewards, gamma));
  return againstOthers(
    returns,
    returns.map((of) => of[0] ?? 0),
    valid,
    tolerance,
  );
}

/** {@link leaveOneOutReturnsToGo} of returns: `returns[trajectory][decision]`, and `whole` ones, one per trajectory. */
export function againstOthers(
  returns: readonly (readonly number[])[],
  whole: readonly number[],
  valid: readonly boolean[] | undefined,
  tolerance: number,
): number[][] {
  const counts = whole.map((total, i) => Number.isFinite(total) && (valid?.[i] ?? valid === undefined));
  const members = whole.filter((_, i) => counts[i]);
  const equal = areEqual(members, tolerance);
  const sum = members.reduce((a, b) => a + b, 0);
  return returns.map((of, i) => {
    if (members.length < 2 || !counts[i]) return of.map(() => 0);
    const baseline = (sum - whole[i]!) / (members.length - 1);
    return of.map((value) => (equal && areEqual([value, baseline], tolerance) ? 0 : value - baseline));
  });
}
