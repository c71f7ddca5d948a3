import { at, type Pace } from '../credit/pace.ts';

/** Options of {@link vtrace}. */
export interface VtraceOptions {
  /** Value after the last step. Default 0: the trajectory has ended. */
  bootstrap?: number;
  gamma: Pace;
  /** Cap of the weights in the temporal differences. Default 1. */
  rhoBar?: number;
  /** Cap of the trace coefficients. Default 1. */
  cBar?: number;
  /** Cap of the weights of the policy-gradient advantages. Default: `rhoBar`. */
  pgRhoBar?: number;
  /** Multiplies the trace coefficients. Default 1. */
  lambda?: Pace;
}

/**
 * V-trace targets and policy-gradient advantages of one trajectory, all constants for differentiation.
 *
 * `ratios` are policy / behaviour probabilities of the chosen actions. The policy-gradient advantage bootstraps with the target v_{t+1}, not with the value V_{t+1}; on
 * policy it equals generalised advantages at lambda = 1.
 * Source: Espeholt et al., arXiv 1802.01561, equation 1 and section 4.2.
 */
export function vtrace(
  ratios: readonly number[],
  rewards: readonly number[],
  values: readonly number[],
  options: VtraceOptions,
): { targets: number[]; advantages: number[] } {
  const { bootstrap = 0, gamma, rhoBar = 1, cBar = 1, lambda = 1 } = options;
  const pgRhoBar = options.pgRhoBar ?? rhoBar;
  const n = rewards.length;
  const targets = new Array<number>(n).fill(0);
  const advantages = new Array<number>(n).fill(0);
  let nextValue = bootstrap;
  let nextTarget = bootstrap;
  for (let t = n - 1; t >= 0; t--) {
    const value = values[t]!;
    const discount = at(gamma, t);
    const delta = Math.min(rhoBar, ratios[t]!) * (rewards[t]! + discount * nextValue - value);
    const trace = at(lambda, t) * Math.min(cBar, ratios[t]!);
    targets[t] = value + delta + discount * trace * (nextTarget - nextValue);
    advantages[t] = Math.min(pgRhoBar, ratios[t]!) * (rewards[t]! + discount * nextTarget - value);
    nextValue = value;
    nextTarget = targets[t]!;
  }
  return { targets, advantages };
}
